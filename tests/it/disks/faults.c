/*
 * A disk that fails on demand: preloaded into the server, this library makes
 * selected calls on files below one directory fail.
 *
 * FAULTS_UNDER    the directory
 * FAULTS_CONTROL  a file with the rule, read again at every call:
 *
 *     CALLS PATH NTH ERRNO TIMES EFFECT
 *
 * CALLS   letters: o open, w write, s sync, r sync_file_range, t truncate,
 *         n rename, m mkdir, d read
 * PATH    a part of the path, or "*" for any
 * NTH     the first call to fail, from 1; counted since the rule was first read
 * ERRNO   the error number
 * TIMES   how many calls fail; 0 means all
 * EFFECT  how much of a failing write still happens: 0 nothing, 1 half, 2 all
 *
 * The file FAULTS_CONTROL.hit is created when a call fails. No rule means no faults.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char last_rule[512];
static long counted;

/* How much of a write is to happen; set with the errno of the fault. */
struct fault { int number; int effect; };

static struct fault fault_for(char call, const char *path)
{
    struct fault none = { 0, 0 };
    const char *under = getenv("FAULTS_UNDER"), *control = getenv("FAULTS_CONTROL");
    char rule[512], calls[32], part[256], hit[PATH_MAX];
    long nth, times;
    int number, effect, saved = errno;
    if (!under || !control || strncmp(path, under, strlen(under)) != 0)
        return none;
    int fd = syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) {
        errno = saved;
        return none;
    }
    ssize_t length = syscall(SYS_read, fd, rule, sizeof rule - 1);
    syscall(SYS_close, fd);
    errno = saved;
    if (length <= 0)
        return none;
    rule[length] = 0;
    if (sscanf(rule, "%31s %255s %ld %d %ld %d", calls, part, &nth, &number, &times, &effect) != 6)
        return none;
    if (!strchr(calls, call) || (strcmp(part, "*") != 0 && !strstr(path, part)))
        return none;
    pthread_mutex_lock(&mutex);
    if (strcmp(rule, last_rule) != 0) {
        strcpy(last_rule, rule);
        counted = 0;
    }
    long count = ++counted;
    pthread_mutex_unlock(&mutex);
    if (count < nth || (times > 0 && count >= nth + times))
        return none;
    snprintf(hit, sizeof hit, "%s.hit", control);
    fd = syscall(SYS_openat, AT_FDCWD, hit, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd >= 0)
        syscall(SYS_close, fd);
    struct fault fault = { number, effect };
    return fault;
}

static struct fault fault_at(char call, int fd)
{
    char link[64], path[PATH_MAX];
    struct fault none = { 0, 0 };
    int saved = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    errno = saved;
    if (length <= 0)
        return none;
    path[length] = 0;
    return fault_for(call, path);
}

static int failed(struct fault fault)
{
    errno = fault.number;
    return -1;
}

static int opened(int directory, const char *path, int flags, mode_t mode)
{
    struct fault fault = fault_for('o', path);
    return fault.number ? failed(fault) : (int)syscall(SYS_openat, directory, path, flags, mode);
}

#define MODE(mode, flags)                                   \
    mode_t mode = 0;                                        \
    if (((flags) & O_CREAT) || ((flags) & O_TMPFILE) == O_TMPFILE) { \
        va_list more;                                       \
        va_start(more, flags);                              \
        mode = va_arg(more, mode_t);                        \
        va_end(more);                                       \
    }

int open(const char *path, int flags, ...) { MODE(mode, flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(mode, flags) return opened(AT_FDCWD, path, flags, mode); }
int openat(int directory, const char *path, int flags, ...) { MODE(mode, flags) return opened(directory, path, flags, mode); }
int openat64(int directory, const char *path, int flags, ...) { MODE(mode, flags) return opened(directory, path, flags, mode); }

/* The bytes that a failing write still writes. */
static size_t bytes_written(struct fault fault, size_t length)
{
    return fault.effect == 0 ? 0 : fault.effect == 1 ? length / 2 : length;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    struct fault fault = fault_at('w', fd);
    if (!fault.number)
        return syscall(SYS_write, fd, bytes, length);
    syscall(SYS_write, fd, bytes, bytes_written(fault, length));
    return failed(fault);
}

static ssize_t written_at(int fd, const void *bytes, size_t length, off_t at)
{
    struct fault fault = fault_at('w', fd);
    if (!fault.number)
        return syscall(SYS_pwrite64, fd, bytes, length, at);
    syscall(SYS_pwrite64, fd, bytes, bytes_written(fault, length), at);
    return failed(fault);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return written_at(fd, bytes, length, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at) { return written_at(fd, bytes, length, at); }

ssize_t read(int fd, void *bytes, size_t length)
{
    struct fault fault = fault_at('d', fd);
    return fault.number ? failed(fault) : syscall(SYS_read, fd, bytes, length);
}

static ssize_t read_at(int fd, void *bytes, size_t length, off_t at)
{
    struct fault fault = fault_at('d', fd);
    return fault.number ? failed(fault) : syscall(SYS_pread64, fd, bytes, length, at);
}

ssize_t pread(int fd, void *bytes, size_t length, off_t at) { return read_at(fd, bytes, length, at); }
ssize_t pread64(int fd, void *bytes, size_t length, off_t at) { return read_at(fd, bytes, length, at); }

int fsync(int fd)
{
    struct fault fault = fault_at('s', fd);
    return fault.number ? failed(fault) : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    struct fault fault = fault_at('s', fd);
    return fault.number ? failed(fault) : (int)syscall(SYS_fdatasync, fd);
}

int sync_file_range(int fd, off64_t at, off64_t length, unsigned flags)
{
    struct fault fault = fault_at('r', fd);
    return fault.number ? failed(fault) : (int)syscall(SYS_sync_file_range, fd, at, length, flags);
}

int ftruncate(int fd, off_t length)
{
    struct fault fault = fault_at('t', fd);
    return fault.number ? failed(fault) : (int)syscall(SYS_ftruncate, fd, length);
}

int ftruncate64(int fd, off_t length) { return ftruncate(fd, length); }

int rename(const char *from, const char *to)
{
    struct fault fault = fault_for('n', to);
    return fault.number ? failed(fault) : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int mkdir(const char *path, mode_t mode)
{
    struct fault fault = fault_for('m', path);
    return fault.number ? failed(fault) : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}
