"""Self-supervised pre-training on unlabelled clips.

- `body`: `Body`, `body_of`: a layout's parts, mirror, parents, centre as tensors.
- `views.recipe`: `make_views`, `draw_changes`, `apply_changes`, `ViewPlan`, `Change`;
  `views.curriculum`: `stage1_plan`, `stage2_plan`; `views.settings`: `ExtremeViewSettings`,
  `ActionletViewSettings`, `MixSettings`.
- `mixing`: `Mix`, `draw_mix`, `is_late`, `key_weights`, `upscale`, `blend`.
- `transfer`: `transfer`, `partners`, `draw_partners`.
- `embedder`: `Embedder`, `Projector`, `pool`; `official`: released weights.
- `contrast`, `neighbours`: what the stages compare; `actionlet`: `static_anchor`, `locate`.
- `objective`: `ViewObjective`; `aimclr`: `ExtremeContrast` (stage 1); `actclr`:
  `ActionletContrast` (stage 2); `masked`: `MaskedMotion`; `settings`: of all three.
"""
