"""Registers the shipped tasks."""

from tasks.action.spec import Action
from tasks.gait.spec import Gait
from tasks.pretrain.spec import Pretrain
from tasks.reid.spec import Reid
from tasks.spec import register

for _task in (Action(), Gait(), Reid(), Pretrain()):
    register(_task)
