# `make demo` and `make test` do all the set-up that they need on a machine with Python 3.11 or newer.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
EXTRAS ?= cpu,report,metric-learning,postgres,export,hub,page,slurm,docs,tensorboard,mocap,parquet,dev
# Python compiles what it imports; pip would compile all of it, for a minute or more.
QUIETLY := --quiet --disable-pip-version-check --no-compile

.PHONY: demo test thorough check docs format lint types imports tests benchmarks lock clean

# The environment is made again whenever what is installed in it changes.
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "aclnet needs Python 3.11 or newer; name one with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(QUIETLY) -c constraints.txt torch
	$(BIN)/python -m pip install $(QUIETLY) -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

# Train on the synthetic walkers and print their NM/BG/CL table.
demo: $(VENV)/.ready
	$(BIN)/aclnet-task gait train --run runs/demo --overwrite

# Everything that CI runs; pytest's closing line comes last.
test: format lint types imports tests

# Quicker, while working: the static checks, and the tests of what differs from main.
check: format lint types imports
	tests=$$($(BIN)/python tests/changed.py main); test -z "$$tests" || OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile $$tests

format: $(VENV)/.ready
	$(BIN)/ruff format --check .

lint: $(VENV)/.ready
	$(BIN)/ruff check .

types: $(VENV)/.ready
	$(BIN)/mypy

imports: $(VENV)/.ready
	$(BIN)/lint-imports

tests: $(VENV)/.ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Before a release: what CI tries on a share, too, in about twice the time.
thorough: $(VENV)/.ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --thorough

# The documentation, into docs/_build, anew as much of it is written from the program; a warning is an error.
docs: $(VENV)/.ready
	$(BIN)/python -m sphinx -E -W --keep-going -q -b html -d docs/_build/doctrees docs docs/_build/html
	@echo docs/_build/html/index.html

# Our code against plain ways, released ones and itself, into results/benchmarks; about a quarter of an hour.
benchmarks: $(VENV)/.ready
	$(BIN)/python tests/benchmarks/run.py

# The versions of constraints.txt with hashes: all that CI installs, for every Python from 3.11 on, but torch and what
# its CUDA build brings, as its build is the machine's. Needs uv (pip install uv).
OF_TORCH := cuda-bindings cuda-toolkit nvidia-cudnn-cu13 nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvshmem-cu13 triton
lock: pyproject.toml constraints.txt
	printf '%s; python_version < "3"\n' $(OF_TORCH) | uv pip compile --quiet pyproject.toml --universal --python-version 3.11 --generate-hashes -c constraints.txt --override /dev/stdin $(addprefix --extra ,$(shell echo '$(EXTRAS)' | tr , ' ')) --no-emit-package torch --custom-compile-command 'make lock' --output-file requirements.lock

clean:
	rm -rf $(VENV) build dist docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
