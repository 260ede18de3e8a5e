# What scripts that run tests under an emulator share; sourced, not run. They set LOG, a file, and BUDGET, in seconds.

skip() {
    echo "skipped: $1"
    exit 0
}

fail() {
    echo "failed: $1" >&2
    exit 1
}

# Runs a command in what is left of the budget. It is waited for, so that whoever ends this run ends the command too.
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

# Runs a judgement; a failure is told at the end, so that one run shows them all.
FAILURES=()
judge() {
    local what=$1 start=$SECONDS
    shift
    echo "== $what"
    within_budget "$@" || FAILURES+=("$what")
    echo "== $what: done in $((SECONDS - start)) s"
}

# Tells the failures of all judgements and ends the run.
conclude() {
    local failure
    for failure in "${FAILURES[@]}"; do
        echo "failed: $failure" >&2
    done
    ((${#FAILURES[@]} == 0)) || exit 1
    echo "passed: ${CPUS[*]} in $((SECONDS / 60)) min $((SECONDS % 60)) s"
}

# Runs a command that prepares the machine; what it says is shown only if it fails. Without it there is nothing to test.
prepare() {
    local what=$1
    shift
    # In the background, since bash forgets `set -e` in whatever stands left of `||`.
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

# Installs packages of the system: a line that says what they are, a command of each that is missing, their names.
install_packages() {
    local what=$1 command missing=
    # Of words. One at a time: of several, `command -v` is content with one.
    for command in $2; do
        command -v "$command" >/dev/null || missing=$command
    done
    shift 2
    [[ -n $missing ]] || return 0
    command -v apt-get >/dev/null || skip "no $what, and no apt-get to install them with"
    prepare "package lists" as_root apt-get update -q
    prepare "$what" as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
}

# Sets TESTS to the options by which cargo builds and runs all but FILES_LEFT_OUT, as folder/file. A name selects the file
# of every package that has it, so that ci/emulate.sh looks again.
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
