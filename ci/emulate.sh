#!/usr/bin/env bash
# Runs a program on every emulated CPU at once, and prints one output after the other. Cargo calls it for whatever it would
# run, as ci/aarch64.sh and ci/cpus.sh say.
#
#   ci/emulate.sh PROGRAM [ARGUMENT...]
#
# EMULATOR          the emulator and its options
# EMULATED_CPUS     the CPUs, by the emulator's names
# EMULATED_COMMAND  cargo's file of the command `harness`, which tests start as a child and which is no program for the
#                   kernel; empty where it is
# FILES_LEFT_OUT    test files that are not run, as folder/file
#
# Exit code 0: it succeeded on every CPU. 1: it failed on one.

set -euo pipefail
# Of words, which is what variables of the environment can hold.
read -ra EMULATOR <<<"$EMULATOR"
read -ra EMULATED_CPUS <<<"$EMULATED_CPUS"

# An emulated program's children are the kernel's to start, which cannot: they need a script in the command's place.
# Cargo puts its own file back whenever it has looked at it, and calls this afterwards. That file has a second name,
# through which nothing must be written.
readonly ELF=$EMULATED_COMMAND.elf
if [[ -n $EMULATED_COMMAND ]] && ! head -c 2 "$EMULATED_COMMAND" | grep -q '#!'; then
    rm -f "$ELF"
    mv "$EMULATED_COMMAND" "$ELF"
    printf '#!/bin/sh\nexec %s "%s" "$@"\n' "${EMULATOR[*]}" "$ELF" >"$EMULATED_COMMAND"
    chmod +x "$EMULATED_COMMAND"
fi

PROGRAM=$1
NAME=${PROGRAM##*/}
shift
if [[ $PROGRAM == "$EMULATED_COMMAND" ]]; then
    PROGRAM=$ELF
fi
# Cargo runs a test in the folder of its package, under the name of its file with a hash.
for left_out in $FILES_LEFT_OUT; do
    if [[ ${PWD##*/}/${NAME%-*} == "$left_out" ]]; then
        exit 0
    fi
done

OUTPUTS=$(mktemp -d)
trap 'rm -rf "$OUTPUTS"' EXIT
TIMEFORMAT='%U s of processor time'
PROCESSES=()
for cpu in "${EMULATED_CPUS[@]}"; do
    export QEMU_CPU=$cpu
    { time "${EMULATOR[@]}" "$PROGRAM" "$@"; } >"$OUTPUTS/$cpu" 2>&1 &
    PROCESSES+=($!)
done
STATUS=0
for i in "${!EMULATED_CPUS[@]}"; do
    verdict=
    wait "${PROCESSES[i]}" || verdict=" failed with $?" STATUS=1
    echo "-- ${EMULATED_CPUS[i]}: $NAME$verdict"
    cat "$OUTPUTS/${EMULATED_CPUS[i]}"
done
exit $STATUS
