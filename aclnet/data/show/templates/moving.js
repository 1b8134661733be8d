"use strict";
// Draws the clips on their canvases: time runs for all of them, each repeats by itself.
(() => {
  const clips = JSON.parse(document.getElementById("clips").textContent);
  const play = document.getElementById("play");
  const speed = document.getElementById("speed");
  const figures = [...document.querySelectorAll("figure")].map((node, place) => ({
    clip: clips[place],
    canvas: node.querySelector("canvas"),
    slider: node.querySelector("input"),
    output: node.querySelector("output"),
    seconds: 0,
    angle: 0,
  }));
  let playing = false;
  let before = 0;
  let colours = [];

  function frameOf(one) {
    const count = one.clip.numbers.length;
    return Math.floor(one.seconds * one.clip.rate + 1e-6) % count;
  }

  function draw(one) {
    const { clip, canvas } = one;
    const frame = frameOf(one);
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const paper = canvas.getContext("2d");
    paper.setTransform(ratio, 0, 0, ratio, 0, 0);
    paper.clearRect(0, 0, width, height);
    paper.lineWidth = 2.5;
    paper.lineCap = "round";
    const scale = 0.46 * Math.min(width / Math.max(clip.reach[0], 1), height / Math.max(clip.reach[1], 1));
    const [cos, sin] = [Math.cos(one.angle), Math.sin(one.angle)];
    const joints = clip.sides.length;
    for (let person = 0; person < clip.persons; person += 1) {
      const first = (frame * clip.persons + person) * joints * clip.dims;
      const at = (joint) => {
        const [x, y, z] = clip.points.slice(first + joint * clip.dims, first + (joint + 1) * clip.dims);
        if (x === null) return null;
        const across = clip.dims === 3 ? x * cos + z * sin : x;
        return [width / 2 + scale * across, height / 2 - scale * y];
      };
      const places = clip.sides.map((_, joint) => at(joint));
      for (const [child, parent] of clip.bones) {
        if (!places[child] || !places[parent]) continue;
        paper.strokeStyle = colours[clip.sides[child]];
        paper.beginPath();
        paper.moveTo(...places[child]);
        paper.lineTo(...places[parent]);
        paper.stroke();
      }
      places.forEach((place, joint) => {
        if (!place) return;
        paper.fillStyle = colours[clip.sides[joint]];
        paper.beginPath();
        paper.arc(...place, 2.5, 0, 2 * Math.PI);
        paper.fill();
      });
    }
    one.slider.value = frame;
    one.output.textContent = `frame ${clip.numbers[frame]}`;
  }

  function drawAll() {
    const style = getComputedStyle(document.documentElement);
    colours = ["--middle", "--left", "--right"].map((name) => style.getPropertyValue(name).trim());
    figures.forEach(draw);
  }

  function tick(now) {
    if (!playing) return;
    const passed = (Number(speed.value) * (now - before)) / 1000;
    before = now;
    for (const one of figures) {
      one.seconds = (one.seconds + passed) % (one.clip.numbers.length / one.clip.rate);
      draw(one);
    }
    requestAnimationFrame(tick);
  }

  function run(on) {
    playing = on;
    play.textContent = on ? "Pause" : "Play";
    play.setAttribute("aria-pressed", String(on));
    if (!on) return;
    before = performance.now();
    requestAnimationFrame(tick);
  }

  for (const one of figures) {
    one.slider.max = one.clip.numbers.length - 1;
    one.slider.addEventListener("input", () => {
      run(false);
      one.seconds = Number(one.slider.value) / one.clip.rate;
      draw(one);
    });
    if (one.clip.dims !== 3) continue;
    one.canvas.classList.add("turns");
    one.canvas.addEventListener("pointerdown", (event) => one.canvas.setPointerCapture(event.pointerId));
    one.canvas.addEventListener("pointermove", (event) => {
      if (!one.canvas.hasPointerCapture(event.pointerId)) return;
      one.angle += event.movementX / 80;
      draw(one);
    });
  }
  play.addEventListener("click", () => run(!playing));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  addEventListener("resize", drawAll);
  drawAll();
  run(!matchMedia("(prefers-reduced-motion: reduce)").matches);
})();
