"""Self-supervised pre-training on unlabelled clips.

`body`: `Body`, `body_of` (a layout's parts, mirror, parents and centre as tensors). `views`:
`make_views`, `stage1_plan`, `stage2_plan`, `draw_changes`, `apply_changes` and the changes
themselves. `mixing`: `Mix`, `draw_mix`, `is_late`, `blend`, `upscale`, `key_weights`. `transfer`:
`transfer`, `partners`. `preparation`: `prepare` (the published preparation of Kinect clips).
"""
