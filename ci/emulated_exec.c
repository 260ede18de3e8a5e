/* Preloaded by ci/cpus.sh, so that an emulated program's children are emulated too: the kernel would run them on the real
 * CPU, since they are of its own architecture.
 *
 * EMULATED_FOLDER   a folder of a cargo profile; its programs, those in deps/ and those in examples/ are emulated
 * EMULATOR_PROGRAM  the emulator
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is allocated lives on the stack: this runs between fork and exec too. */
enum { MOST_ARGUMENTS = 4096 };

static int in_folder(const char *path) {
    const char *folder = getenv("EMULATED_FOLDER");
    size_t length = folder ? strlen(folder) : 0;
    if (!length || strncmp(path, folder, length) != 0 || path[length] != '/') {
        return 0;
    }
    const char *rest = path + length + 1;
    if (strncmp(rest, "deps/", 5) == 0) {
        rest += 5;
    } else if (strncmp(rest, "examples/", 9) == 0) {
        rest += 9;
    }
    return !strchr(rest, '/');
}

/* Whether `file`, searched for on PATH as execvp does, is to be emulated; `real` gets its path. */
static int is_emulated(const char *file, char real[PATH_MAX]) {
    if (strchr(file, '/')) {
        return realpath(file, real) && in_folder(real);
    }
    const char *path = getenv("PATH");
    while (path && *path) {
        size_t length = strcspn(path, ":");
        char candidate[PATH_MAX];
        int written = snprintf(candidate, sizeof candidate, "%.*s/%s", (int)length, path, file);
        if (written < (int)sizeof candidate && access(candidate, X_OK) == 0) {
            return realpath(candidate, real) && in_folder(real);
        }
        path += length + (path[length] == ':');
    }
    return 0;
}

/* The arguments of the emulator that runs `real` with `argv`. */
static int wrap(char *const argv[], char *real, char *wrapped[MOST_ARGUMENTS]) {
    int n = 0;
    wrapped[n++] = getenv("EMULATOR_PROGRAM");
    wrapped[n++] = "-0";
    wrapped[n++] = argv[0];
    wrapped[n++] = real;
    for (int i = 1; argv[0] && argv[i]; i++) {
        if (n == MOST_ARGUMENTS - 1) {
            return 0;
        }
        wrapped[n++] = argv[i];
    }
    wrapped[n] = NULL;
    return wrapped[0] != NULL;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int execve(const char *file, char *const argv[], char *const envp[]) {
    char real[PATH_MAX], *wrapped[MOST_ARGUMENTS];
    if (strchr(file, '/') && is_emulated(file, real) && wrap(argv, real, wrapped)) {
        return NEXT(execve)(wrapped[0], wrapped, envp);
    }
    return NEXT(execve)(file, argv, envp);
}

int execv(const char *file, char *const argv[]) {
    return execve(file, argv, environ);
}

int execvp(const char *file, char *const argv[]) {
    char real[PATH_MAX], *wrapped[MOST_ARGUMENTS];
    if (is_emulated(file, real) && wrap(argv, real, wrapped)) {
        return NEXT(execve)(wrapped[0], wrapped, environ);
    }
    return NEXT(execvp)(file, argv);
}

typedef int spawn(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const[],
                  char *const[]);

static int spawn_by(spawn *next, pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                    const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]) {
    char real[PATH_MAX], *wrapped[MOST_ARGUMENTS];
    if (is_emulated(file, real) && wrap(argv, real, wrapped)) {
        return next(pid, wrapped[0], actions, attributes, wrapped, envp);
    }
    return next(pid, file, actions, attributes, argv, envp);
}

int posix_spawn(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]) {
    return spawn_by(NEXT(posix_spawn), pid, file, actions, attributes, argv, envp);
}

int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]) {
    return spawn_by(NEXT(posix_spawnp), pid, file, actions, attributes, argv, envp);
}
