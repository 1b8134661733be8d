"""The commands of `aclnet-task`, one file per group."""
