# Common functions of scripts that run tests under an emulator. This file is sourced. The scripts set LOG, a file, and
# BUDGET, in seconds.

skip() {
    echo "skipped: $1"
    exit 0
}

fail() {
    echo "failed: $1" >&2
    exit 1
}

# Runs a command within the rest of the budget. It runs in the background, so that a trap can end it with this script.
within_budget() {
    local left=$((BUDGET - SECONDS)) status=0
    if ((left <= 0)); then
        fail "$((BUDGET / 60)) minutes are over before: $*"
    fi
    timeout --kill-after=10 "$left" "$@" &
    trap 'kill %% 2>/dev/null' EXIT
    wait $! || status=$?
    trap - EXIT
    case $status in
        124 | 137) fail "$((BUDGET / 60)) minutes are over during: $*" ;;
    esac
    return $status
}

# Runs a check. Failures are recorded and reported at the end, so that one run shows all of them.
FAILURES=()
judge() {
    local what=$1 start=$SECONDS
    shift
    echo "== $what"
    within_budget "$@" || FAILURES+=("$what")
    echo "== $what: done in $((SECONDS - start)) s"
}

# Reports the failures of all checks and ends the run.
conclude() {
    local failure
    for failure in "${FAILURES[@]}"; do
        echo "failed: $failure" >&2
    done
    ((${#FAILURES[@]} == 0)) || exit 1
    echo "passed: ${CPUS[*]} in $((SECONDS / 60)) min $((SECONDS % 60)) s"
}

# Runs a command that prepares the machine. If it fails, the run is skipped and the last line of its output is printed.
prepare() {
    local what=$1
    shift
    # In the background, because bash ignores `set -e` in a command on the left side of `||`.
    "$@" >"$LOG" 2>&1 &
    wait $! || skip "$what: $(grep -v '^$' "$LOG" | tail -n 1)"
}

as_root() {
    if ((EUID == 0)); then
        "$@"
    else
        sudo -n "$@"
    fi
}

# Installs system packages, unless all their commands exist. Arguments: a description, the commands, the package names.
install_packages() {
    local what=$1 command missing=
    # A list of words. Checked one at a time, because `command -v` with several names succeeds if one of them exists.
    for command in $2; do
        command -v "$command" >/dev/null || missing=$command
    done
    shift 2
    [[ -n $missing ]] || return 0
    command -v apt-get >/dev/null || skip "no $what, and no apt-get to install them with"
    prepare "package lists" as_root apt-get update -q
    prepare "$what" as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
}

# Sets TESTS to the options for cargo that select all test files except FILES_LEFT_OUT, as folder/file. An option
# selects the files with this name in all packages, so ci/emulate.sh checks FILES_LEFT_OUT again.
select_tests() {
    local file
    TESTS=(--lib --bins)
    for file in {rust-kernel,cpp-shim,harness}/tests/*.rs {rust-kernel,cpp-shim,harness}/tests/*/main.rs; do
        [[ -f $file ]] || continue
        file=${file%/main.rs}
        file=${file%.rs}
        if [[ " ${FILES_LEFT_OUT//[[:space:]]/ } " == *" ${file/\/tests/} "* ]]; then
            echo "== left out: $file"
        else
            TESTS+=(--test "${file##*/}")
        fi
    done
}
