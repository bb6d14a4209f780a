#!/usr/bin/env bash
# The yardstick: what this GPU and PyTorch do at the model's work. Needs python3, nvcc and, for the peers, PyTorch; no Node.
# `yardstick.sh --help` says what it takes; docs/gpu.md, what its rows mean.
set -euo pipefail
exec env PYTHONDONTWRITEBYTECODE=1 python3 "$(dirname "${BASH_SOURCE[0]}")/yardstick" "$@"
