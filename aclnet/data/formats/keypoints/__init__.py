"""What the readers of keypoint files share."""
