/* A disk that fails on command, for LD_PRELOAD. While the file named by FAILING_DISK_SWITCH exists, writes to files
   below FAILING_DISK_BELOW fail as that file says: its first byte is `f` (no space is left) or `e` (input/output error);
   `h` lets every write do half of what was asked first, and then finds no space. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int real_open_switch(const char *path) {
    static int (*real)(const char *, int, ...);
    if (!real) real = dlsym(RTLD_NEXT, "open");
    return real(path, O_RDONLY);
}

/* 0 when the write may go on; else how it fails. */
static char failure(int descriptor) {
    const char *path = getenv("FAILING_DISK_SWITCH"), *below = getenv("FAILING_DISK_BELOW");
    if (!path || !below) return 0;
    int saved = errno, file = real_open_switch(path);
    errno = saved;
    if (file < 0) return 0;
    char how = 0;
    ssize_t got = read(file, &how, 1);
    close(file);
    char link[64], target[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, target, sizeof target - 1);
    errno = saved;
    if (got != 1 || length < 0) return 0;
    target[length] = 0;
    return strncmp(target, below, strlen(below)) == 0 ? how : 0;
}

static int fail(char how) {
    errno = how == 'e' ? EIO : ENOSPC;
    return -1;
}

#define REAL(name, result, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) real = dlsym(RTLD_NEXT, #name)

ssize_t write(int descriptor, const void *bytes, size_t count) {
    REAL(write, ssize_t, int, const void *, size_t);
    char how = failure(descriptor);
    if (how == 'h' && count > 1) return real(descriptor, bytes, count / 2);
    return how ? fail(how) : real(descriptor, bytes, count);
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    REAL(writev, ssize_t, int, const struct iovec *, int);
    char how = failure(descriptor);
    return how ? fail(how) : real(descriptor, parts, count);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
    REAL(pwrite64, ssize_t, int, const void *, size_t, off64_t);
    char how = failure(descriptor);
    if (how == 'h' && count > 1) return real(descriptor, bytes, count / 2, offset);
    return how ? fail(how) : real(descriptor, bytes, count, offset);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
    return pwrite64(descriptor, bytes, count, offset);
}

int fsync(int descriptor) {
    REAL(fsync, int, int);
    char how = failure(descriptor);
    return how == 'e' ? fail(how) : real(descriptor);
}

int fdatasync(int descriptor) {
    REAL(fdatasync, int, int);
    char how = failure(descriptor);
    return how == 'e' ? fail(how) : real(descriptor);
}

int ftruncate64(int descriptor, off64_t length) {
    REAL(ftruncate64, int, int, off64_t);
    char how = failure(descriptor);
    return how ? fail(how) : real(descriptor, length);
}

int ftruncate(int descriptor, off_t length) { return ftruncate64(descriptor, length); }

int fallocate64(int descriptor, int mode, off64_t offset, off64_t length) {
    REAL(fallocate64, int, int, int, off64_t, off64_t);
    char how = failure(descriptor);
    return how ? fail(how) : real(descriptor, mode, offset, length);
}
