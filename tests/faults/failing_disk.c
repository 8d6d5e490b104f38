/*
 * A disk that fails, in front of a program's own calls (LD_PRELOAD). It looks at one folder and does two things.
 *
 * It lets one call fail, or several in a row: the N-th of a kind on files whose name fits a pattern. The call is not
 * made ("none"), is made ("all"), or is a write of which half is made ("half"); the program is told the same error.
 *
 * It keeps, in a second folder (the image), what would be there after a loss of power at this moment, by the strictest
 * reading of POSIX and of Linux: what was written is there once an fsync of its file returned; a new name, a rename or
 * a removal once its folder was synced (a new file's own first name with its first fsync). What an fsync that failed
 * was to put on disk is never put there by a later one, unless it is written again: the kernel has called those pages
 * clean. An fsync of the way "all" did put them there.
 *
 * Memory that is mapped is not seen; of SQLite's files that is only the -shm file, which is made anew at every start.
 *
 *   PAIZA_DISK_ROOT     the folder, absolute; without it nothing is done
 *   PAIZA_DISK_IMAGE    the folder of the image, which holds a copy of the root when the program starts; may be absent
 *   PAIZA_DISK_JOURNAL  a file outside of the root, which gets a line for every call: "kind name" or "FAULT kind name"
 *   PAIZA_DISK_FAULT    "kind pattern first last way error", for example "fdatasync paiza.db-wal 3 3 none 5"; the kind
 *                       is a pattern too
 *   PAIZA_DISK_WHILE    a file outside of the root: only while it is there calls fail, or are counted; may be absent
 *
 * A process that was forked sets them anew with disk_begin. Errors of the harness itself end the process: 97.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(result, name, ...) \
  static result (*real)(__VA_ARGS__); \
  if (!real) real = (result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

enum way { NONE, HALF, ALL };

struct range { off_t from, to; };
struct file { dev_t device; ino_t inode; struct range *dirty; size_t count, room; };
struct pending { char *from, *to; }; /* a rename, or a removal where `to` is NULL; names relative to the root */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX], image[PATH_MAX], only_while[PATH_MAX];
static int journal = -1;
static char kind_wanted[32], pattern[256];
static long first, last, seen, failed;
static enum way way;
static int error = EIO;
static struct file *files;
static size_t file_count;
static struct pending *waiting;
static size_t waiting_count;

static void die(const char *what) {
  dprintf(2, "failing_disk: %s: %s\n", what, strerror(errno));
  _exit(97);
}

static void forget(void) {
  for (size_t at = 0; at < file_count; at++) free(files[at].dirty);
  free(files);
  for (size_t at = 0; at < waiting_count; at++) {
    free(waiting[at].from);
    free(waiting[at].to);
  }
  free(waiting);
  files = NULL;
  waiting = NULL;
  file_count = waiting_count = 0;
  seen = failed = 0;
}

/* Begin to look at a folder; NULL for what is not wanted. Also called through ctypes in a forked process. */
void disk_begin(const char *folder, const char *kept, const char *lines, const char *fault, const char *while_there) {
  char named[16] = "";
  forget();
  if (journal >= 0) close(journal);
  journal = -1;
  snprintf(root, sizeof root, "%s", folder ? folder : "");
  snprintf(image, sizeof image, "%s", kept ? kept : "");
  snprintf(only_while, sizeof only_while, "%s", while_there ? while_there : "");
  kind_wanted[0] = 0;
  first = last = 0;
  if (lines) {
    REAL(int, "open64", const char *, int, mode_t);
    journal = real(lines, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (journal < 0) die(lines);
  }
  if (fault && *fault) {
    if (sscanf(fault, "%31s %255s %ld %ld %15s %d", kind_wanted, pattern, &first, &last, named, &error) != 6) die(fault);
    way = !strcmp(named, "all") ? ALL : !strcmp(named, "half") ? HALF : NONE;
  }
}

/* Say how many calls have failed so far. */
long disk_failed(void) {
  return failed;
}

__attribute__((constructor)) static void begin(void) {
  const char *folder = getenv("PAIZA_DISK_ROOT");
  if (folder)
    disk_begin(folder, getenv("PAIZA_DISK_IMAGE"), getenv("PAIZA_DISK_JOURNAL"), getenv("PAIZA_DISK_FAULT"),
               getenv("PAIZA_DISK_WHILE"));
}

/* Give a path below the root relative to it, or NULL. */
static const char *below(const char *path) {
  size_t length = strlen(root);
  if (!length || strncmp(path, root, length) || (path[length] != '/' && path[length] != 0)) return NULL;
  return path[length] ? path + length + 1 : ".";
}

static const char *named(int fd, char *room) {
  char link[64];
  ssize_t length;
  if (!root[0]) return NULL;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  length = readlink(link, room, PATH_MAX - 1);
  if (length < 0) return NULL;
  room[length] = 0;
  return below(room);
}

static const char *at(int folder, const char *path, char *room) {
  char front[PATH_MAX];
  if (!root[0]) return NULL;
  if (path[0] == '/') return below(path);
  if (folder == AT_FDCWD) {
    if (!getcwd(front, sizeof front)) return NULL;
  } else {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(link, front, sizeof front - 1);
    if (length < 0) return NULL;
    front[length] = 0;
  }
  if (snprintf(room, PATH_MAX, "%s/%s", front, path) >= PATH_MAX) return NULL;
  return below(room);
}

/* Count a call and say whether it fails. */
static int fails(const char *kind, const char *name) {
  int failing = 0;
  if (kind_wanted[0] && !fnmatch(kind_wanted, kind, 0) && !fnmatch(pattern, name, 0) &&
      (!only_while[0] || !access(only_while, F_OK))) {
    seen++;
    failing = seen >= first && seen <= last;
    failed += failing;
  }
  if (journal >= 0) {
    REAL(ssize_t, "write", int, const void *, size_t);
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%s%s %s\n", failing ? "FAULT " : "", kind, name);
    if (real(journal, line, (size_t)length) != length) die("the journal");
  }
  return failing;
}

static struct file *file_of(const struct stat *found) {
  for (size_t at = 0; at < file_count; at++)
    if (files[at].device == found->st_dev && files[at].inode == found->st_ino) return &files[at];
  files = realloc(files, (file_count + 1) * sizeof *files);
  if (!files) die("memory");
  files[file_count] = (struct file){.device = found->st_dev, .inode = found->st_ino};
  return &files[file_count++];
}

static void forget_file(const char *path) {
  struct stat found;
  if (stat(path, &found)) return;
  for (size_t at = 0; at < file_count; at++)
    if (files[at].device == found.st_dev && files[at].inode == found.st_ino && found.st_nlink <= 1) {
      free(files[at].dirty);
      files[at] = files[--file_count];
      return;
    }
}

static void dirty(int fd, off_t from, off_t to) {
  struct stat found;
  struct file *file;
  if (from >= to || fstat(fd, &found)) return;
  file = file_of(&found);
  if (file->count == file->room) {
    file->room = file->room ? 2 * file->room : 64;
    file->dirty = realloc(file->dirty, file->room * sizeof *file->dirty);
    if (!file->dirty) die("memory");
  }
  file->dirty[file->count++] = (struct range){from, to};
}

static void in_image(char *room, const char *name) {
  if (snprintf(room, PATH_MAX, "%s/%s", image, name) >= PATH_MAX) die("a path is too long");
}

static void make_parents(char *path) {
  REAL(int, "mkdir", const char *, mode_t);
  for (char *slash = path + strlen(image) + 1; (slash = strchr(slash, '/')); slash++) {
    *slash = 0;
    if (real(path, 0700) && errno != EEXIST) die(path);
    *slash = '/';
  }
}

/* Do in the image what was done to the names in a folder, or to one name where `only` is given. */
static void settle_names(const char *folder, const char *only) {
  REAL(int, "rename", const char *, const char *);
  static int (*gone)(const char *);
  size_t left = 0;
  if (!gone) gone = (int (*)(const char *))dlsym(RTLD_NEXT, "unlink");
  for (size_t at = 0; at < waiting_count; at++) {
    struct pending one = waiting[at];
    const char *name = one.to ? one.to : one.from;
    const char *slash = strrchr(name, '/');
    char parent[PATH_MAX];
    snprintf(parent, sizeof parent, "%.*s", slash ? (int)(slash - name) : 1, slash ? name : ".");
    if (only ? strcmp(name, only) : strcmp(parent, folder)) {
      waiting[left++] = one;
      continue;
    }
    char from[PATH_MAX], to[PATH_MAX];
    in_image(from, one.from);
    if (one.to) {
      in_image(to, one.to);
      make_parents(to);
      if (real(from, to) && errno != ENOENT) die(to); /* what was never synced has no name to change */
    } else if (gone(from) && errno != ENOENT)
      die(from);
    free(one.from);
    free(one.to);
  }
  waiting_count = left;
}

static void wait_for_folder(const char *from, const char *to) {
  if (!image[0]) return;
  waiting = realloc(waiting, (waiting_count + 1) * sizeof *waiting);
  if (!waiting) die("memory");
  waiting[waiting_count++] = (struct pending){strdup(from), to ? strdup(to) : NULL};
}

/* Put into the image what an fsync of a file or folder puts on disk. */
static void settle(int fd, const char *name) {
  REAL(int, "open64", const char *, int, mode_t);
  static ssize_t (*put)(int, const void *, size_t, off_t);
  static int (*cut)(int, off_t);
  static char data[1 << 16];
  struct stat found;
  char path[PATH_MAX];
  if (!put) put = (ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite64");
  if (!cut) cut = (int (*)(int, off_t))dlsym(RTLD_NEXT, "ftruncate64");
  if (!image[0] || fstat(fd, &found)) return;
  if (S_ISDIR(found.st_mode)) {
    settle_names(name, NULL);
    return;
  }
  if (!found.st_nlink) return;
  settle_names(NULL, name);
  struct file *file = file_of(&found);
  in_image(path, name);
  make_parents(path);
  int to = real(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  char again[64];
  snprintf(again, sizeof again, "/proc/self/fd/%d", fd);
  int from = real(again, O_RDONLY | O_CLOEXEC, 0);
  if (to < 0 || from < 0) die(path);
  for (size_t at = 0; at < file->count; at++) {
    off_t end = file->dirty[at].to < found.st_size ? file->dirty[at].to : found.st_size;
    for (off_t here = file->dirty[at].from; here < end;) {
      size_t most = end - here < (off_t)sizeof data ? (size_t)(end - here) : sizeof data;
      ssize_t got = pread64(from, data, most, here);
      if (got <= 0 || put(to, data, (size_t)got, here) != got) die(path);
      here += got;
    }
  }
  if (cut(to, found.st_size)) die(path);
  file->count = 0;
  close(to);
  close(from);
}

static void lose(int fd) {
  struct stat found;
  if (!fstat(fd, &found)) file_of(&found)->count = 0;
}

static int fail(void) {
  pthread_mutex_unlock(&lock);
  errno = error;
  return -1;
}

static ssize_t written(const char *kind, int fd, const void *data, size_t count, off_t where, int appending,
                       ssize_t (*make)(int, const void *, size_t, off_t)) {
  char room[PATH_MAX];
  const char *name = named(fd, room);
  if (!name) return make(fd, data, count, where);
  pthread_mutex_lock(&lock);
  int failing = fails(kind, name);
  ssize_t done = -1;
  if (failing && way == HALF) count /= 2;
  if (!failing || way != NONE) {
    if (appending) {
      struct stat found;
      where = fcntl(fd, F_GETFL) & O_APPEND ? (fstat(fd, &found) ? 0 : found.st_size) : lseek64(fd, 0, SEEK_CUR);
    }
    done = make(fd, data, count, where);
    if (done > 0 && image[0]) dirty(fd, where, where + done);
  }
  if (failing) return fail();
  int kept = errno;
  pthread_mutex_unlock(&lock);
  errno = kept;
  return done;
}

static ssize_t make_write(int fd, const void *data, size_t count, off_t where) {
  REAL(ssize_t, "write", int, const void *, size_t);
  (void)where;
  return real(fd, data, count);
}

static ssize_t make_pwrite(int fd, const void *data, size_t count, off_t where) {
  REAL(ssize_t, "pwrite64", int, const void *, size_t, off_t);
  return real(fd, data, count, where);
}

ssize_t write(int fd, const void *data, size_t count) { return written("write", fd, data, count, 0, 1, make_write); }
ssize_t pwrite(int fd, const void *data, size_t count, off_t where) {
  return written("pwrite", fd, data, count, where, 0, make_pwrite);
}
ssize_t pwrite64(int fd, const void *data, size_t count, off64_t where) {
  return written("pwrite", fd, data, count, where, 0, make_pwrite);
}

/* Calls on an open file: 1 is fsync, 2 fdatasync, 3 ftruncate. */
static int on_file(int which, int fd, off_t size) {
  static int (*sync_all)(int), (*sync_data)(int), (*cut)(int, off_t);
  static const char *const kinds[] = {"", "fsync", "fdatasync", "ftruncate"};
  if (!cut) {
    sync_all = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    sync_data = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    cut = (int (*)(int, off_t))dlsym(RTLD_NEXT, "ftruncate64");
  }
  char room[PATH_MAX];
  const char *name = named(fd, room);
  int done = 0;
  if (name) pthread_mutex_lock(&lock);
  int failing = name && fails(kinds[which], name);
  if (!failing || way == ALL) {
    struct stat found;
    off_t before = which == 3 && !fstat(fd, &found) ? found.st_size : 0;
    done = which == 1 ? sync_all(fd) : which == 2 ? sync_data(fd) : cut(fd, size);
    if (name && !done && which == 3 && image[0]) dirty(fd, size < before ? size : before, before);
    if (name && !done && which != 3) settle(fd, name);
  } else if (which != 3 && image[0])
    lose(fd);
  if (!name) return done;
  if (failing) return fail();
  int kept = errno;
  pthread_mutex_unlock(&lock);
  errno = kept;
  return done;
}

int fsync(int fd) { return on_file(1, fd, 0); }
int fdatasync(int fd) { return on_file(2, fd, 0); }
int ftruncate(int fd, off_t size) { return on_file(3, fd, size); }
int ftruncate64(int fd, off64_t size) { return on_file(3, fd, size); }

static int renamed(int from_folder, const char *from, int to_folder, const char *to) {
  REAL(int, "renameat", int, const char *, int, const char *);
  char from_room[PATH_MAX], to_room[PATH_MAX];
  const char *from_name = at(from_folder, from, from_room), *to_name = at(to_folder, to, to_room);
  if (!to_name) return real(from_folder, from, to_folder, to);
  pthread_mutex_lock(&lock);
  int failing = fails("rename", to_name), done = -1;
  if (!failing || way == ALL) {
    forget_file(to);
    done = real(from_folder, from, to_folder, to);
    if (!done && from_name) wait_for_folder(from_name, to_name);
  }
  if (failing) return fail();
  int kept = errno;
  pthread_mutex_unlock(&lock);
  errno = kept;
  return done;
}

int rename(const char *from, const char *to) { return renamed(AT_FDCWD, from, AT_FDCWD, to); }
int renameat(int from_folder, const char *from, int to_folder, const char *to) {
  return renamed(from_folder, from, to_folder, to);
}

static int removed(int folder, const char *path, int flags) {
  REAL(int, "unlinkat", int, const char *, int);
  char room[PATH_MAX];
  const char *name = at(folder, path, room);
  if (!name) return real(folder, path, flags);
  pthread_mutex_lock(&lock);
  int failing = fails("unlink", name), done = -1;
  if (!failing || way == ALL) {
    forget_file(path);
    done = real(folder, path, flags);
    if (!done && !(flags & AT_REMOVEDIR)) wait_for_folder(name, NULL);
  }
  if (failing) return fail();
  int kept = errno;
  pthread_mutex_unlock(&lock);
  errno = kept;
  return done;
}

int unlink(const char *path) { return removed(AT_FDCWD, path, 0); }
int unlinkat(int folder, const char *path, int flags) { return removed(folder, path, flags); }

static int folder_made(int folder, const char *path, mode_t mode) {
  REAL(int, "mkdirat", int, const char *, mode_t);
  char room[PATH_MAX];
  const char *name = at(folder, path, room);
  if (!name) return real(folder, path, mode);
  pthread_mutex_lock(&lock);
  int failing = fails("mkdir", name), done = -1;
  if (!failing || way == ALL) done = real(folder, path, mode);
  if (failing) return fail();
  int kept = errno;
  pthread_mutex_unlock(&lock);
  errno = kept;
  return done;
}

int mkdir(const char *path, mode_t mode) { return folder_made(AT_FDCWD, path, mode); }
int mkdirat(int folder, const char *path, mode_t mode) { return folder_made(folder, path, mode); }

/* Opening is a call that may fail where it makes or empties a file. */
static int opened(int folder, const char *path, int flags, mode_t mode) {
  REAL(int, "openat64", int, const char *, int, mode_t);
  char room[PATH_MAX];
  const char *name = flags & (O_CREAT | O_TRUNC) ? at(folder, path, room) : NULL;
  struct stat found;
  if (!name || (!(flags & O_TRUNC) && !fstatat(folder, path, &found, 0))) return real(folder, path, flags, mode);
  pthread_mutex_lock(&lock);
  int failing = fails("create", name), done = -1;
  if (!failing || way == ALL) {
    off_t before = fstatat(folder, path, &found, 0) ? 0 : found.st_size;
    done = real(folder, path, flags, mode);
    if (done >= 0 && before && flags & O_TRUNC && image[0]) dirty(done, 0, before);
  }
  if (failing) {
    if (done >= 0) close(done);
    return fail();
  }
  int kept = errno;
  pthread_mutex_unlock(&lock);
  errno = kept;
  return done;
}

#define MODE(flags, mode) \
  mode_t mode = 0; \
  if ((flags) & (O_CREAT | __O_TMPFILE)) { \
    va_list more; \
    va_start(more, flags); \
    mode = va_arg(more, mode_t); \
    va_end(more); \
  }

int open(const char *path, int flags, ...) {
  MODE(flags, mode)
  return opened(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) {
  MODE(flags, mode)
  return opened(AT_FDCWD, path, flags, mode);
}
int openat(int folder, const char *path, int flags, ...) {
  MODE(flags, mode)
  return opened(folder, path, flags, mode);
}
int openat64(int folder, const char *path, int flags, ...) {
  MODE(flags, mode)
  return opened(folder, path, flags, mode);
}
