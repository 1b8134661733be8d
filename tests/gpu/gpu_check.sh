#!/bin/bash
# One GPU check of aclnet, at most 8 minutes (each part has its own limit; a failing part does not stop the rest).
#   bash gpu_check.sh [REPO]        REPO: the checkout (default: the current folder)
# Wheels: every *.whl in the folder of this script is installed into /tmp/site first (python 3.12, no internet).
# Device: cuda; DEV=cpu SMALL=1 runs the same script without a GPU, to test the script itself.
# Output: one line per figure, JSON, in $OUT/gpu_check.jsonl (and on the screen).
set -u
HERE=$(cd "$(dirname "$0")" && pwd); REPO=$(cd "${1:-.}" && pwd); OUT=${OUT:-/tmp/gpu_out}; mkdir -p "$OUT"
export OUT REPO DEV=${DEV:-cuda} SMALL=${SMALL:-0} PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
PY=${PY:-python3}; SITE=${SITE:-/tmp/site}; T0=$SECONDS
left() { echo $((470 - (SECONDS - T0))); }
part() { # name, limit, command...
  local n=$1 l=$2; shift 2; local r; r=$(left); [ "$r" -lt 15 ] && { echo "{\"part\":\"$n\",\"skipped\":\"no time left\"}" | tee -a "$OUT/gpu_check.jsonl"; return; }
  [ "$SMALL" = 1 ] && l=$((2 * l))  # a busy CPU is slow
  [ "$r" -lt "$l" ] && l=$r; local s=$SECONDS
  timeout -k 5 "$l" "$@" 2>>"$OUT/$n.err" | tee -a "$OUT/gpu_check.jsonl"; local rc=${PIPESTATUS[0]}
  echo "{\"part\":\"$n\",\"rc\":$rc,\"wall_s\":$((SECONDS-s))}" | tee -a "$OUT/gpu_check.jsonl"
  [ "$rc" != 0 ] && tail -n 6 "$OUT/$n.err"
}
if ls "$HERE"/*.whl >/dev/null 2>&1; then
  $PY -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade --target "$SITE" "$HERE"/*.whl 2>/dev/null
  # faiss-gpu-cu12 wants libcublas.so.12 (a 550 MB wheel). It calls 8 functions of it, which CUDA 13's library also has:
  # a stand-in package forwards them. Only for this check; nothing of it belongs into the product.
  mkdir -p "$SITE/nvidia/cublas/lib" "$SITE/nvidia_cublas_cu12-12.9.0.dist-info"
  cat > /tmp/shim.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
static void *h(void){static void*x;if(!x){const char*p=getenv("CUBLAS13");x=dlopen(p?p:"libcublas.so.13",RTLD_NOW|RTLD_LOCAL);if(!x){fprintf(stderr,"cublas shim: %s\n",dlerror());abort();}}return x;}
#define F(n) long n(long a,long b,long c,long d,long e,long f,long g,long i,long j,long k,long l,long m,long o,long p,long q,long r,long s,long t,long u,long v,long w,long x,long y,long z){static long(*fn)();if(!fn)fn=(long(*)())dlsym(h(),#n);return fn(a,b,c,d,e,f,g,i,j,k,l,m,o,p,q,r,s,t,u,v,w,x,y,z);}
F(cublasCreate_v2) F(cublasDestroy_v2) F(cublasGemmEx) F(cublasGemmStridedBatchedEx) F(cublasGetMathMode) F(cublasSetMathMode) F(cublasSetStream_v2) F(cublasSgemmEx)
C
  echo 'libcublas.so.12 { global: cublas*; local: *; };' > /tmp/v.map
  gcc -std=gnu11 -w -O1 -shared -fPIC -Wl,-soname,libcublas.so.12 -Wl,--version-script=/tmp/v.map -o "$SITE/nvidia/cublas/lib/libcublas.so.12" /tmp/shim.c -ldl
  echo 'int aclnet_empty(void){return 0;}' | gcc -x c -shared -fPIC -Wl,-soname,libcublasLt.so.12 -o "$SITE/nvidia/cublas/lib/libcublasLt.so.12" -
  D="$SITE/nvidia_cublas_cu12-12.9.0.dist-info"
  printf 'Metadata-Version: 2.1\nName: nvidia-cublas-cu12\nVersion: 12.9.0\n' > "$D/METADATA"
  printf 'nvidia/cublas/lib/libcublas.so.12,,\nnvidia/cublas/lib/libcublasLt.so.12,,\nnvidia_cublas_cu12-12.9.0.dist-info/METADATA,,\n' > "$D/RECORD"
  export PYTHONPATH="$SITE:$REPO"
  CUBLAS13=$($PY - <<'P'
import glob, os, torch
base = os.path.dirname(os.path.dirname(torch.__file__))
found = glob.glob(base + "/nvidia/**/libcublas.so.13*", recursive=True) + glob.glob("/usr/local/cuda*/**/libcublas.so.13*", recursive=True)
print(found[0] if found else "libcublas.so.13")
P
); export CUBLAS13
else export PYTHONPATH="$REPO${PYTHONPATH:+:$PYTHONPATH}"; fi
cat > /tmp/gpu_check.py <<'P'
import json, os, sys, time, statistics as st, collections, warnings, traceback, shutil
from pathlib import Path
DEV, SMALL, REPO, OUT = os.environ["DEV"], os.environ["SMALL"] == "1", os.environ["REPO"], os.environ["OUT"]
import numpy as np, torch
CUDA = DEV == "cuda"
dev = torch.device(DEV)
WORK = Path("/tmp/gpu_work"); WORK.mkdir(exist_ok=True); os.chdir(WORK)
def say(**k): print(json.dumps(k), flush=True)
def sync():
    if CUDA: torch.cuda.synchronize()
def ms(f, n=None, warm=3):
    n = n or (3 if SMALL else 10)
    for _ in range(1 if SMALL else warm): f()
    out = []
    for _ in range(n):
        sync(); t = time.perf_counter(); f(); sync(); out.append(1e3 * (time.perf_counter() - t))
    return out
def ab(name, ours, peer, n=None, **more):
    """ours and peer in turn; ratio peer / ours"""
    n = n or (3 if SMALL else 7); a, b = [], []
    for f in (ours, peer):
        for _ in range(1 if SMALL else 3): f()
    for _ in range(n):
        for f, l in ((ours, a), (peer, b)):
            sync(); t = time.perf_counter(); f(); sync(); l.append(1e3 * (time.perf_counter() - t))
    r = [y / x for x, y in zip(a, b)]
    say(what=name, ours_ms=round(st.median(a), 3), peer_ms=round(st.median(b), 3), ratio=round(st.median(r), 2), lo=round(min(r), 2), hi=round(max(r), 2), **more)
def rel(a, b): return float((a.double() - b.double()).abs().max() / b.double().abs().max().clamp(min=1e-30))

def env():
    shutil.rmtree(WORK, ignore_errors=True); WORK.mkdir(exist_ok=True); os.chdir(WORK)
    say(torch=torch.__version__, cuda=torch.version.cuda, gpu=torch.cuda.get_device_name(0) if CUDA else "none", matmul_precision=torch.get_float32_matmul_precision(), cudnn_tf32=torch.backends.cudnn.allow_tf32)
    try:
        import faiss; say(faiss=faiss.__version__, gpus=faiss.get_num_gpus() if hasattr(faiss, "get_num_gpus") else 0)
    except Exception as e: say(faiss_error=repr(e)[:200])
    if CUDA:
        x = torch.empty(2**30, dtype=torch.float32, device=dev); y = torch.empty_like(x)
        t = st.median(ms(lambda: y.copy_(x))); say(what="device copy", TBs=round(2 * x.numel() * 4 / t / 1e9, 2))
        a = torch.randn(8192, 8192, device=dev, dtype=torch.bfloat16); t = st.median(ms(lambda: a @ a)); say(what="bf16 matmul", TFLOPs=round(2 * 8192**3 / t / 1e9))
        del x, y, a; torch.cuda.empty_cache()

def cli(*args, **env_):
    import subprocess
    t = time.perf_counter()
    p = subprocess.run([sys.executable, "-m", "tasks.cli", *args], cwd=WORK, env=os.environ | env_, capture_output=True, text=True)
    return p.returncode, time.perf_counter() - t, p.stdout + p.stderr

FAILED = []
def called(what, main):
    try: main()
    except SystemExit as e:
        if not e.code: return
        say(what=what, exit=str(e.code))
    except Exception as e: say(what=what, error=repr(e)[:300])
    else: return
    FAILED.append(what)

def doctor():
    rc, s, text = cli("doctor"); say(what="doctor", rc=rc, s=round(s, 2)); print(text[-1500:], file=sys.stderr)
    if rc: FAILED.append("doctor")

def backbone():
    """Released backbone: plain transcription (tests/benchmarks) against the product's; f32 / TF32 / bf16 / compile; memory."""
    sys.path.insert(0, REPO + "/tests/benchmarks")
    import bench_backbone as bb
    from aclnet.models import SkeletonNetwork
    from aclnet.models.affinity_gcn import AffinityGcn, AffinityGcnSettings
    from aclnet.models.official import import_official
    torch.manual_seed(0)
    s = AffinityGcnSettings(width=12, blocks=3, widen_at=(2,), stride_at=(2,)) if SMALL else AffinityGcnSettings()
    plain = bb.PlainNetwork(s, 25, 3, 60).to(dev)
    ours = SkeletonNetwork(AffinityGcn(s, 25, 3), 60); ours.load_state_dict(import_official({k: v.cpu() for k, v in plain.state_dict().items()})); ours.to(dev)
    x = torch.randn(2 if SMALL else 8, 2, 100, 25, 3, device=dev)
    with torch.no_grad():
        torch.backends.cudnn.allow_tf32 = False
        a = ours.eval()(x); b = plain.eval()(x); say(what="backbone equal (f32)", logits=rel(a.logits, b[0]), graph=rel(a.graph, b[1]))
        torch.backends.cudnn.allow_tf32 = True
        c = ours(x); say(what="backbone TF32 conv (torch's default) vs f32", logits=rel(c.logits, a.logits))
        with torch.autocast(DEV, torch.bfloat16): c = ours(x)
        say(what="backbone bf16 vs f32", logits=rel(c.logits, a.logits), graph=rel(c.graph, a.graph))
    def trainer(m, ctx):
        opt = torch.optim.SGD(m.parameters(), lr=1e-3, momentum=.9, nesterov=True, weight_decay=5e-4)
        def step(x, y):
            m.train()
            with ctx():
                o = m(x); lo, g = (o.logits, o.graph) if hasattr(o, "logits") else o
                loss = torch.nn.functional.cross_entropy(lo.float(), y) + .1 * g.float().mean()
            opt.zero_grad(set_to_none=True); loss.backward(); opt.step()
        return step
    import contextlib
    f32 = contextlib.nullcontext; bf = lambda: torch.autocast(DEV, torch.bfloat16)
    for B in ((2,) if SMALL else (16, 64)):
        x = torch.randn(B, 2, 100, 25, 3, device=dev); y = torch.randint(0, 60, (B,), device=dev)
        peak = {}
        for name, m, ctx in (("ours", ours, f32), ("plain", plain, f32), ("ours bf16", ours, bf), ("plain bf16", plain, bf)):
            f = trainer(m, ctx); f(x, y); sync()
            if CUDA: torch.cuda.reset_peak_memory_stats(); base = torch.cuda.memory_allocated(); f(x, y); sync(); peak[name] = round((torch.cuda.max_memory_allocated() - base) / 2**20)
        to, tp, tob, tpb = (trainer(m, c) for m, c in ((ours, f32), (plain, f32), (ours, bf), (plain, bf)))
        ab(f"train step B={B} TF32 conv", lambda: to(x, y), lambda: tp(x, y), peak_mib=peak)
        ab(f"train step B={B} bf16", lambda: tob(x, y), lambda: tpb(x, y))
        torch.backends.cudnn.benchmark = True
        ab(f"train step B={B} bf16: cudnn.benchmark on (ours) vs the released f32 step", lambda: tob(x, y), lambda: tp(x, y))
        torch.backends.cudnn.benchmark = False
        def ev(m, ctx):
            def f():
                m.eval()
                with torch.no_grad(), ctx(): m(x)
            return f
        ab(f"eval B={B}", ev(ours, f32), ev(plain, f32)); ab(f"eval B={B} bf16", ev(ours, bf), ev(ours, f32))
    if CUDA:
        from torch.profiler import profile, ProfilerActivity
        with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as p:
            t = time.perf_counter(); [tob(x, y) for _ in range(3)]; sync(); w = time.perf_counter() - t
        ka = p.key_averages(); busy = sum(e.self_device_time_total for e in ka) / 1e6
        say(what=f"bf16 step B={B}: GPU busy share", share=round(busy / w, 3), kernels_per_step=round(sum(e.count for e in ka if e.self_device_time_total > 0) / 3))
        print(ka.table(sort_by="self_cuda_time_total", row_limit=18), file=sys.stderr)

def compiled():
    from aclnet.models import SkeletonNetwork
    from aclnet.models.affinity_gcn import AffinityGcn, AffinityGcnSettings
    torch.manual_seed(0); s = AffinityGcnSettings(width=12, blocks=2, widen_at=(), stride_at=()) if SMALL else AffinityGcnSettings()
    m = SkeletonNetwork(AffinityGcn(s, 25, 3), 60).to(dev); B = 2 if SMALL else 64
    x = torch.randn(B, 2, 100, 25, 3, device=dev); y = torch.randint(0, 60, (B,), device=dev); opt = torch.optim.SGD(m.parameters(), lr=1e-3)
    c = torch.compile(m)
    def step(n):
        n.train()
        with torch.autocast(DEV, torch.bfloat16): loss = torch.nn.functional.cross_entropy(n(x).logits.float(), y)
        opt.zero_grad(set_to_none=True); loss.backward(); opt.step()
    t = time.perf_counter(); step(c); sync(); say(what="torch.compile first step", s=round(time.perf_counter() - t, 1))
    ab(f"train B={B} bf16: compiled (ours) vs eager (peer)", lambda: step(c), lambda: step(m))

def syncs():
    """Where a training step waits for the device, by line (torch's sync debug mode), for several recipes."""
    import aclnet.training.engine as E
    from tasks.cli import main
    found = collections.Counter(); on = {"steps": 0}
    def show(message, category, filename, lineno, file=None, line=None):
        if "synchroniz" not in str(message).lower(): return
        for f in reversed(traceback.extract_stack()[:-1]):
            if f.filename.startswith(REPO) and "gpu_check" not in f.filename: found[f"{os.path.relpath(f.filename, REPO)}:{f.lineno}"] += 1; return
        found[f"{filename}:{lineno}"] += 1
    whole = E._Loop._train_step
    def step(self, epoch, number):
        watch = CUDA and number >= 3 and not self._host_waits((epoch - 1) * self.steps + number)
        if watch: torch.cuda.set_sync_debug_mode("warn"); on["steps"] += 1
        try: return whole(self, epoch, number)
        finally:
            if watch: torch.cuda.set_sync_debug_mode("default")
    E._Loop._train_step = step
    warnings.showwarning = show; warnings.simplefilter("always")
    w = (8, 4) if SMALL else (12, 30)
    for name, args in (("gait/walkers", ["gait", "train"]), ("reid/walkers", ["reid", "train"])):
        found.clear(); on["steps"] = 0
        sys.argv = ["aclnet-task", *args, "--run", f"runs/sync-{args[0]}", "--overwrite", "-s", "train.epochs=1", "-s", "objective.start_epoch=0", "-s", f"sampler.steps_per_epoch={w[1]}", "-s", "clip.augment.mirror=0.5", "-s", f"train.accelerator={DEV}"]
        called("syncs " + name, main)
        say(what="host waits per step " + name, steps=on["steps"], by_line={k: round(v / max(1, on["steps"]), 2) for k, v in found.most_common(25)})

def faiss_gpu():
    import faiss
    from protocols.ranking.engines import choose_backend, _gpu_resources; from protocols.ranking.retrieval import search
    D, P = 256, 1000; g = np.random.default_rng(0)
    gpu = CUDA and hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0
    say(what="faiss backend", auto=choose_backend("auto"), gpu=bool(gpu))
    where = "gpu" if gpu else "cpu"
    for N in ((2000,) if SMALL else (10_000, 100_000, 1_000_000)):
        ids = g.standard_normal((max(50, N // 50), D), dtype=np.float32); own = g.integers(0, len(ids), P)
        G = ids[np.arange(N) % len(ids)] + np.float32(1.6) * g.standard_normal((N, D), dtype=np.float32); Q = ids[own] + np.float32(1.6) * g.standard_normal((P, D), dtype=np.float32)
        for metric in ("cosine", "euclidean"):
            a = search(Q, G, 10, metric=metric, device=where); b = search(Q, G, 10, metric=metric, device="cpu") if N <= 100_000 else None
            if b is not None: say(what=f"N={N} {metric}: {where} and cpu name the same rows", same=bool(np.array_equal(a.rows, b.rows)), distances_equal=bool(np.array_equal(a.distances, b.distances)))
        un = G / np.linalg.norm(G, axis=1, keepdims=True); uq = Q / np.linalg.norm(Q, axis=1, keepdims=True)
        if gpu:
            ix = faiss.GpuIndexFlatIP(_gpu_resources(), D); ix.add(un)
            ab(f"N={N} rank-1 cosine vs bare GpuIndexFlatIP.search (index built)", lambda: search(Q, G, 1, metric="cosine", device="gpu"), lambda: ix.search(uq, 1), n=3)
            def fresh():
                j = faiss.GpuIndexFlatIP(_gpu_resources(), D); j.add(un); j.search(uq, 1)
            ab(f"N={N} rank-1 cosine vs bare GPU add+search", lambda: search(Q, G, 1, metric="cosine", device="gpu"), fresh, n=3); del ix
        t, q = torch.from_numpy(un).to(dev), torch.from_numpy(uq).to(dev)
        ab(f"N={N} rank-1 cosine vs torch matmul+max on the device", lambda: search(Q, G, 1, metric="cosine", device=where), lambda: (q @ t.t()).max(1), n=3); del t, q
    G = np.round(g.standard_normal((5000, 4)) * 2).astype(np.float32); Q = np.round(g.standard_normal((200, 4)) * 2).astype(np.float32)
    a, b = search(Q, G, 5, metric="euclidean", device=where), search(Q, G, 5, metric="euclidean", device="cpu")
    say(what="many ties: same rows", same=bool(np.array_equal(a.rows, b.rows)))
    if gpu:
        a = search(Q, np.repeat(G, 2, 0), 2048, metric="euclidean", device="gpu"); say(what="k=2048 on the GPU", shape=list(a.rows.shape))
        from protocols.ranking.identification import identify
        y, z = g.integers(0, 164, 4000), g.integers(0, 164, 31000); A, B = g.standard_normal((4000, 128), dtype=np.float32), g.standard_normal((31000, 128), dtype=np.float32)
        for precision in (False, True):
            t = time.perf_counter(); identify(A, B, y, z, depth=10, precision=precision, device="gpu"); say(what=f"identify 4k x 31k device=gpu precision={precision}", s=round(time.perf_counter() - t, 2))

def training():
    """Walkers on the GPU: f32, bf16, deterministic twice, resume; times, and the share that waits for data."""
    import hashlib
    def run(name, *more):
        rc, s, text = cli("gait", "train", "--run", f"runs/{name}", "--overwrite", "-s", f"train.accelerator={DEV}", "-s", "train.epochs=2", "-s", "objective.start_epoch=1", "-s", "train.evaluate_every_epochs=2", *(["-s", "sampler.steps_per_epoch=3"] if SMALL else []), *more)
        log = [json.loads(l) for l in open(WORK / f"runs/{name}/log.jsonl")] if rc == 0 else []
        say(what="gait train " + name, rc=rc, s=round(s, 1), error=text[-300:] if rc else "", last={k: round(v, 4) for k, v in (log[-1].items() if log else ()) if isinstance(v, float)})
        if rc: FAILED.append(name)
        return WORK / f"runs/{name}"
    run("f32"); run("bf16", "-s", "train.precision=bf16-mixed")
    d = [run(f"det{i}", "-s", "train.deterministic=true") for i in (1, 2)]
    try:
        w = [torch.load(p / "checkpoint.pt", map_location="cpu", weights_only=False)["task"] for p in d]
        say(what="deterministic runs bit-equal", equal=all(torch.equal(w[0][k], w[1][k]) for k in w[0]))
    except Exception as e: say(what="deterministic", error=repr(e)[:200]); FAILED.append("deterministic")
    rc, s, text = cli("gait", "eval", "--run", "runs/f32"); say(what="gait eval of a GPU run", rc=rc, s=round(s, 1))
    if rc: FAILED.append("eval")

def ntu():
    """Released recipe, NTU-sized clips: waiting for data, step time, through the command line's own path."""
    import pickle
    n = 120 if SMALL else 2000; g = np.random.default_rng(0); ann = []
    for i in range(n):
        T = int(np.clip(g.normal(84, 35), 30, 300)); M = 2 if i % 4 == 0 else 1
        ann.append(dict(frame_dir=f"S001C001P{(1, 3)[i // 60 % 2]:03d}R{1 + i // 120:03d}A{1 + i % 60:03d}", label=i % 60, keypoint=(g.standard_normal((M, T, 25, 3)) * .3).astype(np.float16), total_frames=T))
    names = [a["frame_dir"] for a in ann]; pickle.dump(dict(split=dict(xsub_train=names[: n * 9 // 10], xsub_val=names[n * 9 // 10:]), annotations=ann), open("ntu.pkl", "wb"))
    import aclnet.training.batches as B, aclnet.training.engine as E, aclnet.training.stepper as S
    T = collections.defaultdict(float); C = collections.Counter()
    def timed(o, f, label):
        was = getattr(o, f)
        def w(*a, **k):
            t = time.perf_counter()
            try: return was(*a, **k)
            finally: T[label] += time.perf_counter() - t; C[label] += 1
        setattr(o, f, w)
    timed(B.Prefetcher, "get", "wait for data"); timed(B.Prefetcher, "_fetch", "fetch (thread)"); timed(E._Loop, "run", "loop"); timed(S.Stepper, "backward", "backward() host"); timed(E._Loop, "_evaluate", "evaluate"); timed(E._Loop, "_agree", "agree (host waits)")
    from tasks.cli import main
    for name, more in (("f32", ()), ("bf16", ("-s", "train.precision=bf16-mixed"))):
        T.clear(); C.clear()
        sys.argv = ["aclnet-task", "action", "train", "--config", "action/ntu60_xsub", "--data", "ntu.pkl", "--run", f"runs/ntu-{name}", "--overwrite", "-s", "train.epochs=1", "-s", "objective.start_epoch=0", "-s", f"train.accelerator={DEV}", "-s", "hold_out.people=0", "-s", "select=last", "-s", "test.clips=1", "-s", f"sampler.batch_size={4 if SMALL else 64}", *(["-s", "network.encoder.width=12", "-s", "network.encoder.blocks=3", "-s", "network.encoder.widen_at=[2]", "-s", "network.encoder.stride_at=[2]"] if SMALL else []), *more]
        called("ntu " + name, main)
        say(what="ntu60_xsub " + name, seconds={k: round(v, 3) for k, v in T.items()}, calls=dict(C))

def embedding():
    """Embedding extraction: share of the host's own work (gather) in the loop, which nothing overlaps."""
    import aclnet.clips.input as CL, aclnet.runs.embedding as EM
    from aclnet.data.store import open_store
    T = collections.defaultdict(float)
    def timed(o, f):
        was = getattr(o, f)
        def w(*a, **k):
            t = time.perf_counter(); r = was(*a, **k); T[f] += time.perf_counter() - t; return r
        setattr(o, f, w)
    timed(CL.ClipInput, "stored")
    import aclnet
    model = aclnet.load(WORK / "runs/f32"); network = model.network
    store = open_store(next(p for p in (WORK / "runs/stores").iterdir() if p.is_dir() and p.name.startswith("walkers"))); network.to(dev)
    if SMALL: store = store.select(np.arange(0, len(store), 20))
    for _ in range(2):
        T.clear(); sync(); t = time.perf_counter(); EM.embed(network, store, model.clip_input, model.settings.embed); sync(); w = time.perf_counter() - t
    say(what="embed walkers", recordings=len(store), s=round(w, 3), per_s=round(len(store) / w), gather_share=round(T["stored"] / w, 3))

globals()[sys.argv.pop(1)]()
sys.exit(bool(FAILED))
P
run() { part "$1" "$2" $PY /tmp/gpu_check.py "$1"; }
run env 40; run doctor 20
part pytest 60 bash -c "cd '$REPO' && $PY -m pytest -q -m gpu -p no:cacheprovider tests/aclnet/training/test_engine.py tests/aclnet/losses/test_objective.py tests/protocols/ranking/test_retrieval.py 2>&1 | tail -n 5"
run faiss_gpu 90; run training 110; run syncs 40; run embedding 25; run backbone 90
part losses 40 $PY "$REPO/tests/benchmarks/bench_losses.py" --device "$DEV" --rounds 5 --json "$OUT/losses.json" $([ "$SMALL" = 1 ] && echo --share-batch 2 --share-rounds 1 --frames 20)
run ntu 60; run compiled 90
echo "total $((SECONDS-T0)) s"; ls -la "$OUT"
