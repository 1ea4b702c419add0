/* A disk with a volatile cache, for a process that is started with this library
 * in LD_PRELOAD. It keeps in $POWER_CUT_DURABLE what survives a power cut:
 *
 *   for a synced file, its contents at the sync;
 *   for a synced directory, its entries at the sync.
 *
 * Nothing else is durable. Writing, creating, renaming and removing need no hook,
 * since they are lost. sync_file_range guarantees nothing, so it is not hooked.
 *
 * A file or directory is identified by its inode and birth time, since inodes are
 * reused. This identity is the name of its entry in $POWER_CUT_DURABLE; the one of
 * a directory has a line for each entry: its identity, f or d, and its name.
 *
 * The real sync is not called; the copy stands for it and is cheaper.
 *
 * After a power cut the machine boots again: the file $POWER_CUT_BOOT identifies
 * the boot. */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

struct identity {
    unsigned long long inode, birth;
    int mode;
};

static int identify(int directory, const char *name, int flags, struct identity *of) {
    struct statx found;
    if (statx(directory, name, flags, STATX_BASIC_STATS | STATX_BTIME, &found) != 0)
        return -1;
    of->inode = found.stx_ino;
    of->birth = found.stx_mask & STATX_BTIME
        ? found.stx_btime.tv_sec * 1000000000ULL + found.stx_btime.tv_nsec : 0;
    of->mode = found.stx_mode;
    return 0;
}

static int copy_file(int descriptor, FILE *to) {
    static char buffer[1 << 20];
    /* Opened again, since the descriptor may be write-only. */
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    int from = open(path, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return -1;
    ssize_t length;
    while ((length = read(from, buffer, sizeof buffer)) > 0)
        if (fwrite(buffer, 1, length, to) != (size_t) length) {
            length = -1;
            break;
        }
    close(from);
    return length < 0 ? -1 : 0;
}

static int copy_entries(int descriptor, FILE *to) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    DIR *directory = opendir(path);
    if (!directory)
        return -1;
    struct dirent *entry;
    while ((entry = readdir(directory))) {
        struct identity of;
        if (identify(dirfd(directory), entry->d_name, AT_SYMLINK_NOFOLLOW, &of) != 0)
            continue; /* It was removed meanwhile. */
        if (entry->d_name[0] == '.' || !(S_ISREG(of.mode) || S_ISDIR(of.mode)))
            continue;
        fprintf(to, "%llu-%llu %c %s\n", of.inode, of.birth, S_ISDIR(of.mode) ? 'd' : 'f',
                entry->d_name);
    }
    closedir(directory);
    return 0;
}

/* If the process is killed here, the sync has not happened and the old copy stays. */
static int make_durable(int descriptor) {
    const char *durable = getenv("POWER_CUT_DURABLE");
    struct identity of;
    if (!durable) {
        errno = EIO;
        return -1;
    }
    if (identify(descriptor, "", AT_EMPTY_PATH, &of) != 0)
        return -1;
    if (!S_ISREG(of.mode) && !S_ISDIR(of.mode))
        return 0;
    char unfinished[4096], finished[4096];
    snprintf(unfinished, sizeof unfinished, "%s/unfinished", durable);
    snprintf(finished, sizeof finished, "%s/%llu-%llu", durable, of.inode, of.birth);
    FILE *to = fopen(unfinished, "we");
    if (!to)
        return -1;
    int failed = S_ISDIR(of.mode) ? copy_entries(descriptor, to) : copy_file(descriptor, to);
    failed |= fclose(to);
    return failed ? -1 : rename(unfinished, finished);
}

int fsync(int descriptor) {
    pthread_mutex_lock(&one_at_a_time);
    int result = make_durable(descriptor);
    pthread_mutex_unlock(&one_at_a_time);
    return result;
}

int fdatasync(int descriptor) {
    return fsync(descriptor);
}

int open64(const char *path, int flags, ...) {
    static int (*real)(const char *, int, ...);
    if (!real)
        *(void **) &real = dlsym(RTLD_NEXT, "open64");
    const char *boot = getenv("POWER_CUT_BOOT");
    if (boot && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0)
        path = boot;
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = va_arg(arguments, mode_t);
    va_end(arguments);
    return real(path, flags, mode);
}
