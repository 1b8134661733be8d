#!/bin/bash
# All checks of this project on a GPU, in less than eight minutes:
#   bash tests/gpu/run.sh [CHECK ...]
# Needs Python 3.11 or newer and torch; no network. Every *.whl beside this script is installed into
# $SITE first (README.md says which). DEV=cpu SMALL=1 tests the checks themselves without a GPU.
set -u
HERE=$(cd "$(dirname "$0")" && pwd); REPO=$(cd "$HERE/../.." && pwd)
export OUT=${OUT:-/tmp/gpu_out} PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
PY=${PY:-python3}; SITE=${SITE:-/tmp/gpu_site}
mkdir -p "$OUT"
export PYTHONPATH="$REPO:$REPO/tests/benchmarks${PYTHONPATH:+:$PYTHONPATH}"
if ls "$HERE"/*.whl >/dev/null 2>&1; then
  $PY -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade --target "$SITE" "$HERE"/*.whl
  export PYTHONPATH="$SITE:$PYTHONPATH"
  # faiss-gpu-cu12 wants libcublas.so.12, a wheel of 550 MB. Where only CUDA 13 is, cublas_forward.c
  # stands in for it: for these checks only.
  BLAS="$SITE/nvidia/cublas/lib"; ABOUT="$SITE/nvidia_cublas_cu12-12.9.0.dist-info"
  if ls "$HERE"/faiss_gpu*cu12*.whl >/dev/null 2>&1 && ! ls "$HERE"/nvidia_cublas_cu12*.whl >/dev/null 2>&1; then
    mkdir -p "$BLAS" "$ABOUT"
    echo 'libcublas.so.12 { global: cublas*; local: *; };' > "$OUT/cublas.map"
    gcc -std=gnu11 -w -O1 -shared -fPIC -Wl,-soname,libcublas.so.12 -Wl,--version-script="$OUT/cublas.map" \
      -o "$BLAS/libcublas.so.12" "$HERE/cublas_forward.c" -ldl
    echo 'int aclnet_empty(void) { return 0; }' |
      gcc -x c -shared -fPIC -Wl,-soname,libcublasLt.so.12 -o "$BLAS/libcublasLt.so.12" -
    printf 'Metadata-Version: 2.1\nName: nvidia-cublas-cu12\nVersion: 12.9.0\n' > "$ABOUT/METADATA"
    printf '%s,,\n' nvidia/cublas/lib/libcublas.so.12 nvidia/cublas/lib/libcublasLt.so.12 \
      nvidia_cublas_cu12-12.9.0.dist-info/METADATA > "$ABOUT/RECORD"
    CUBLAS13=$($PY -c 'import glob, os, torch
roots = (os.path.dirname(os.path.dirname(torch.__file__)) + "/nvidia", "/usr/local/cuda*")
found = [f for r in roots for f in glob.glob(r + "/**/libcublas.so.13*", recursive=True)]
print(found[0] if found else "libcublas.so.13")')
    export CUBLAS13
  fi
fi
cd "$REPO" && exec $PY "$HERE/run.py" "$@"
