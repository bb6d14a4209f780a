#!/usr/bin/env bash
# Runs what npm run gpu:pack packed, on a machine with a GPU and neither Node nor a network: tests, sanitizers, benches.
#   run.sh [--allow-no-gpu] [--only PART]... [-- ARGUMENTS of bench/gpu/yardstick.sh]
# PART: doctor, tests, sanitizers, bench. Logs and results go to $OUT (default: gpu-out); a table comes last.
# Exit: 0 all passed, 1 something failed, 3 no device (0 with --allow-no-gpu).
set -uo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
out="$(realpath -m "${OUT:-gpu-out}")"
mkdir -p "$out"

allow_no_gpu=0
only=()
while [ $# -gt 0 ]; do
  case "$1" in
    --allow-no-gpu) allow_no_gpu=1 ;;
    --only) only+=("${2:?--only needs a part}") && shift ;;
    --) shift && break ;;
    *) echo "run.sh: unknown argument $1; see its head" >&2 && exit 2 ;;
  esac
  shift
done
for part in "${only[@]:-}"; do
  case "$part" in
    '' | doctor | tests | sanitizers | bench) ;;
    *) echo "run.sh: unknown part $part" >&2 && exit 2 ;;
  esac
done

# Beside the archive, or already inside what it holds.
if [ -f "$here/hrm-gpu.tar.xz" ]; then
  root="$(mktemp -d "${TMPDIR:-/tmp}/hrm-gpu.XXXXXX")"
  trap 'rm -rf "$root"' EXIT
  started=$SECONDS
  tar -xJf "$here/hrm-gpu.tar.xz" -C "$root" || exit 1
  root="$root/hrm-gpu"
  echo "unpacked in $((SECONDS - started)) s"
else
  root="$(cd "$here/../.." && pwd)"
fi
export PATH="$root/node:$PATH"
export HRM_NODE="$root/node/node" HRM_ADDON="$root/build-cuda/Release/hrm.node"
[ -d "$root/shared/parity" ] && export HRM_SHARED="$root/shared"
cd "$root" || exit 1

missing="$(node -p 'require(process.env.HRM_ADDON).gpu().missing ?? ""')" || exit 1
[ -z "$missing" ] || echo "no device: $missing"
table=()
failures=0

# part NAME COMMAND...: exit 3 says that there is no device.
part() {
  local name="$1" started=$SECONDS code result
  shift
  if [ ${#only[@]} -gt 0 ] && [[ " ${only[*]} " != *" $name "* ]]; then return; fi
  echo "== $name"
  "$@" 2>&1 | tee "$out/$name.log"
  code=${PIPESTATUS[0]}
  case "$code" in
    0) result=passed ;;
    3) result='no device' ;;
    *) result="FAILED (exit $code)" && failures=$((failures + 1)) ;;
  esac
  table+=("$(printf '%-11s %-18s %5d s' "$name" "$result" $((SECONDS - started)))")
}

bench() {
  if [ -n "$missing" ]; then
    echo "no device: $missing"
    return 3
  fi
  bash bench/gpu/yardstick.sh --ceilings build-cuda/ceilings --out "$out/yardstick" "$@"
}

part doctor node bin/hrm.cjs doctor
part tests node scripts/test_gpu.mjs suites
part sanitizers node scripts/test_gpu.mjs sanitizers
part bench bench "${@:---essential}"

echo
printf '%s\n' "${table[@]}" | tee "$out/summary.txt"
echo "logs in $out"
[ "$failures" -eq 0 ] || exit 1
[ -z "$missing" ] || [ "$allow_no_gpu" -eq 1 ] || exit 3
exit 0
