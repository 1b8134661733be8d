// Without this script every form works; with it the page stays, skeletons move, and the list of
// people follows the gallery.
"use strict";
(() => {
  const AGAIN = 4000;
  const parse = (text) => new DOMParser().parseFromString(text, "text/html");

  const play = (canvas) => {
    const clip = JSON.parse(canvas.dataset.clip);
    const player = canvas.parentElement.querySelector(".player");
    const [button, slider] = [player.querySelector("button"), player.querySelector("input")];
    let frame = 0;
    let running = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    let before = null;

    const draw = () => {
      const ratio = devicePixelRatio || 1;
      const [width, height] = [canvas.clientWidth, canvas.clientHeight];
      if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
        canvas.width = Math.round(width * ratio);
        canvas.height = Math.round(height * ratio);
      }
      const style = getComputedStyle(canvas);
      const colours = ["--middle", "--left", "--right"].map((name) => style.getPropertyValue(name));
      const at = canvas.getContext("2d");
      at.setTransform(ratio, 0, 0, ratio, 0, 0);
      at.clearRect(0, 0, width, height);
      const scale = Math.min((width - 24) / clip.width, (height - 24) / clip.height);
      const [left, top] = [(width - clip.width * scale) / 2, (height - clip.height * scale) / 2];
      const values = clip.frames[frame];
      for (let person = 0; person < clip.persons; person += 1) {
        const place = (joint) => {
          const first = 2 * (person * clip.joints + joint);
          if (values[first] < 0) return null;
          return [left + values[first] * scale, top + values[first + 1] * scale];
        };
        at.lineWidth = 3;
        at.lineCap = "round";
        for (const [child, parent] of clip.bones) {
          const [from, to] = [place(parent), place(child)];
          if (!from || !to) continue;
          at.strokeStyle = colours[clip.sides[child]];
          at.beginPath();
          at.moveTo(...from);
          at.lineTo(...to);
          at.stroke();
        }
        for (let joint = 0; joint < clip.joints; joint += 1) {
          const point = place(joint);
          if (!point) continue;
          at.fillStyle = colours[clip.sides[joint]];
          at.beginPath();
          at.arc(...point, 3.2, 0, 2 * Math.PI);
          at.fill();
        }
      }
      slider.value = String(frame);
      canvas.dataset.frame = String(frame);
    };

    const tick = (now) => {
      if (!canvas.isConnected || !running) return;
      before ??= now;
      const passed = Math.floor((now - before) * clip.fps / 1000);
      if (passed > 0) {
        frame = (frame + passed) % clip.frames.length;
        before = now;
        draw();
      }
      requestAnimationFrame(tick);
    };
    const say = () => { button.textContent = running ? "Pause" : "Play"; };
    button.addEventListener("click", () => {
      running = !running;
      before = null;
      say();
      if (running) requestAnimationFrame(tick);
    });
    slider.addEventListener("input", () => {
      running = false;
      frame = Number(slider.value);
      say();
      draw();
    });
    new ResizeObserver(draw).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    player.hidden = clip.frames.length < 2;
    say();
    draw();
    if (running && clip.frames.length > 1) requestAnimationFrame(tick);
  };
  const playAll = () => document.querySelectorAll("canvas[data-clip]").forEach((canvas) => {
    if (canvas.dataset.frame === undefined) play(canvas);
  });

  const replace = (found, id) => {
    const [old, made] = [document.getElementById(id), found.getElementById(id)];
    if (old && made) old.replaceWith(document.adoptNode(made));
  };
  const answer = (kind, text) => {
    const box = document.createElement("div");
    box.className = `card ${kind}`;
    box.append(Object.assign(document.createElement("p"), {textContent: text}));
    document.getElementById("answer").replaceChildren(box);
  };
  const send = async (form, sender) => {
    const body = new FormData(form);
    const sizes = body.getAll("files").map((one) => one.size);
    const mib = sizes.reduce((sum, one) => sum + one, 0) / 2 ** 20;
    const most = Number(form.dataset.mostMib);
    if (mib > most) {
      answer("wrong", `These files have ${mib.toFixed(1)} MiB; at most ${most} MiB are taken (--most-mib).`);
      return;
    }
    const buttons = [...form.querySelectorAll("button")];
    buttons.forEach((one) => { one.disabled = true; });
    answer("busy", "Reading…");
    try {
      const target = sender?.getAttribute("formaction") ?? form.getAttribute("action");
      const reply = await fetch(target, {method: "POST", body});
      const found = parse(await reply.text());
      if (found.getElementById("answer")) {
        replace(found, "answer");
        replace(found, "people");
      } else {
        answer("wrong", found.querySelector("main")?.textContent.trim() || found.body.textContent.trim());
      }
    } catch {
      answer("wrong", "The program does not answer, or refused the file as too large.");
    } finally {
      buttons.forEach((one) => { one.disabled = false; });
    }
    playAll();
    const shown = document.getElementById("answer");
    shown.focus({preventScroll: true});
    shown.scrollIntoView({block: "nearest"});
  };
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.id !== "upload" && !("inplace" in form.dataset)) return;
    event.preventDefault();
    send(form, event.submitter);
  });

  const drop = document.querySelector(".drop");
  if (drop) {
    const over = (yes) => drop.classList.toggle("over", yes);
    drop.addEventListener("dragover", (event) => { event.preventDefault(); over(true); });
    drop.addEventListener("dragleave", () => over(false));
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      over(false);
      if (!event.dataTransfer.files.length) return;
      document.getElementById("files").files = event.dataTransfer.files;
      document.querySelector("#upload button.main").click();
    });
  }

  const follow = async () => {
    const list = document.getElementById("people");
    if (!list || document.hidden || list.querySelector("details[open]")) return;
    try {
      const reply = await fetch("/people");
      if (!reply.ok || reply.redirected) return;
      const made = parse(await reply.text()).getElementById("people");
      const now = document.getElementById("people");
      if (made && now.textContent !== made.textContent && !now.querySelector("details[open]")) {
        now.replaceWith(document.adoptNode(made));
      }
    } catch { /* it is asked again */ }
  };
  if (document.getElementById("people")) setInterval(follow, AGAIN);
  playAll();
})();
