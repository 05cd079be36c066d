/*
 * lab/build.c -- compilers, patches and starters.
 */
#include "lab/build.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/host.h"
#include "lab/cut.h"

#define MAX_ARGS       40
#define BUILD_MEMORY   (UINT64_C(4) << 30)
#define BUILD_FILE     (UINT64_C(64) << 20)     /* the most that it may write into one file */

#define MAY_READ  (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | \
                   LANDLOCK_ACCESS_FS_READ_DIR)
#define MAY_WRITE (MAY_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | \
                   LANDLOCK_ACCESS_FS_REMOVE_FILE)

/* The most that may be done below a path that is no folder. */
#define MAY_FILE  (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | \
                   LANDLOCK_ACCESS_FS_WRITE_FILE)

/* A path that is not there needs no rule. */
static void allow(int rules, const char *path, uint64_t access)
{
    struct landlock_path_beneath_attr below = { .allowed_access = access };
    struct stat st;
    below.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (below.parent_fd < 0)
        return;
    if (fstat(below.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
        below.allowed_access &= MAY_FILE;
    syscall(__NR_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0);
    close(below.parent_fd);
}

/* Is `path` the folder `top`, or below it?  Both without links. */
static bool is_below(const char *path, const char *top)
{
    size_t n = strlen(top);
    return strncmp(path, top, n) == 0 && (path[n] == '/' || !path[n]);
}

/* Let everything below a folder of the system be read but the project, which may be there:
 * Landlock can give rights and not take any away, so on the way down to the project each
 * folder's entries are given one by one.  `path` has room for PATH_MAX and is changed. */
static void allow_around(int rules, char *path, const struct lab_folders *f)
{
    size_t n = strlen(path);
    if (is_below(path, f->root) || is_below(path, f->build))
        return;
    if (!is_below(f->root, path) && !is_below(f->build, path)) {
        allow(rules, path, MAY_READ);
        return;
    }
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d)); ) {
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(path + n, PATH_MAX - n, "/%.255s", e->d_name);
        if (lstat(path, &st) == 0 && !S_ISLNK(st.st_mode))  /* a link's rule is its target's */
            allow_around(rules, path, f);
    }
    path[n] = 0;
    if (d)
        closedir(d);
}

/* The same of a path that may be a link (/lib is one to /usr/lib). */
static void allow_system(int rules, const char *path, const struct lab_folders *f)
{
    char real[PATH_MAX];
    if (realpath(path, real))
        allow_around(rules, real, f);
}

/* The main() of the lab's submissions and the wire, compiled already. */
static void server_path(const struct lab_folders *f, char *path, size_t n)
{
    snprintf(path, n, "%.4000s/lab/%s/server.o", f->build, f->id);
}

/* A kernel without Landlock lets a source include any file.  Said once: who grades decides. */
static void warn_if_unlocked(void)
{
    static bool said;
    if (said || syscall(__NR_landlock_create_ruleset, NULL, 0,
                        LANDLOCK_CREATE_RULESET_VERSION) > 0)
        return;
    said = true;
    host_say("this kernel has no Landlock: a submission's #include can read any file, the "
             "solution too");
}

/* What a compiler needs to read.  Of /etc only the loader's cache. */
static void lock_in(const struct lab_folders *f, const char *source)
{
    static const char *const system[] = { "/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache" };
    struct landlock_ruleset_attr all = {
        .handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1,
    };
    char path[PATH_MAX + 32];
    int rules = (int)syscall(__NR_landlock_create_ruleset, &all, sizeof all, 0);
    if (rules < 0)
        return;
    for (size_t i = 0; i < NELEM(system); i++)
        allow_system(rules, system[i], f);
    allow(rules, "/dev/null", MAY_FILE);
    snprintf(path, sizeof path, "%s/lab/include", f->build);
    allow(rules, path, MAY_READ);
    server_path(f, path, sizeof path);
    allow(rules, path, LANDLOCK_ACCESS_FS_READ_FILE);
    allow(rules, source, LANDLOCK_ACCESS_FS_READ_FILE);
    snprintf(path, sizeof path, "%.4000s/guests", f->lab);
    allow(rules, path, MAY_READ);
    allow(rules, f->work, MAY_WRITE);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    syscall(__NR_landlock_restrict_self, rules, 0);
    close(rules);
}

/* In the child: a group of processes of its own, as a compiler starts others. */
static void become(char **argv, int output, const struct lab_folders *f, const char *source)
{
    struct rlimit seconds = { f->tool_seconds, f->tool_seconds },
                  bytes = { BUILD_FILE, BUILD_FILE }, memory = { BUILD_MEMORY, BUILD_MEMORY };
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
    dup2(output, 1);
    dup2(output, 2);
    setenv("TMPDIR", f->work, 1);
    setrlimit(RLIMIT_CPU, &seconds);
    setrlimit(RLIMIT_FSIZE, &bytes);
    setrlimit(RLIMIT_AS, &memory);
    if (source) {
        lock_in(f, source);
        if (chdir(f->work))         /* what lies where the grader was started is not looked for */
            _exit(127);
    }
    execvp(argv[0], argv);
    dprintf(2, "cannot start %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

/* Wait for a tool as long as it may take; then it is killed, with all that it has started.  Its
 * status as of waitpid(). */
static int wait_for_tool(pid_t pid, unsigned seconds, bool *late)
{
    int watch = (int)syscall(__NR_pidfd_open, pid, 0), status = -1;
    struct pollfd ended = { .fd = watch, .events = POLLIN };
    uint64_t deadline = host_monotonic_ns() + seconds * UINT64_C(1000000000), now;
    while (watch >= 0 && (now = host_monotonic_ns()) < deadline &&
           poll(&ended, 1, (int)((deadline - now) / 1000000) + 1) <= 0)
        ;
    *late = watch >= 0 && poll(&ended, 1, 0) == 0;
    if (*late && kill(-pid, SIGKILL))       /* the group is made by the child */
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (watch >= 0)
        close(watch);
    return status;
}

int lab_run_tool(char **argv, const struct lab_folders *f, const char *source, char *said,
                 size_t bytes)
{
    bool late = false;
    int output = memfd_create("lab-tool", MFD_CLOEXEC);
    pid_t pid = fork();
    if (pid == 0)
        become(argv, output, f, source);
    int status = pid < 0 ? -errno : wait_for_tool(pid, f->tool_seconds, &late);
    ssize_t n = pread(output, said, bytes - 1, 0);
    said[n > 0 ? n : 0] = 0;
    if (late)
        snprintf(said, bytes, "%s was not done after %u seconds, and was ended\n", argv[0],
                 f->tool_seconds);
    close(output);
    return status;
}

bool lab_has_tool(const char *command)
{
    const char *path = getenv("PATH");
    int n = (int)strcspn(command, " ");
    char file[PATH_MAX];
    if (memchr(command, '/', (size_t)n)) {
        snprintf(file, sizeof file, "%.*s", n, command);
        return access(file, X_OK) == 0;
    }
    for (const char *p = path ? path : "/usr/bin:/bin"; *p; p += *p == ':') {
        size_t len = strcspn(p, ":");
        snprintf(file, sizeof file, "%.*s/%.*s", (int)len, p, n, command);
        if (access(file, X_OK) == 0)
            return true;
        p += len;
    }
    return false;
}

bool lab_is_link(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

int lab_build(const struct lab_folders *f, const char *source, const char *compiler,
              char *said, size_t bytes)
{
    char command[200], include[PATH_MAX + 16], server[PATH_MAX + 32], out[PATH_MAX + 16];
    char *argv[MAX_ARGS];
    unsigned n = 0;
    if (lab_is_link(source)) {
        snprintf(said, bytes, "%s is a symbolic link: hand in the file itself\n", source);
        return -EINVAL;
    }
    snprintf(command, sizeof command, "%s", compiler);
    for (char *rest = command, *word; n < 16 && (word = strtok_r(rest, " ", &rest)); )
        argv[n++] = word;
    snprintf(include, sizeof include, "-I%s/lab/include", f->build);
    server_path(f, server, sizeof server);
    snprintf(out, sizeof out, "%s/submission", f->work);
    char *more[] = { "-std=gnu11", "-g", "-Wall", "-Wno-unused-function", "-D_GNU_SOURCE",
                     "-fno-optimize-sibling-calls", include, "-static", "-o", out,
                     server, (char *)(uintptr_t)source, NULL };
    for (size_t i = 0; i < NELEM(more); i++)
        argv[n++] = more[i];
    warn_if_unlocked();
    unlink(out);
    return lab_run_tool(argv, f, source, said, bytes) == 0 ? 0 : -EINVAL;
}

int lab_write_starter(const struct lab_folders *f, const struct lab_spec *spec, const char *to,
                      char *why, size_t n)
{
    char path[PATH_MAX + 256];
    snprintf(path, sizeof path, "%s/%.200s", f->root, spec->cut);
    FILE *in = fopen(path, "re"), *out = in ? fopen(to, "we") : NULL;
    int cuts = in && out ? lab_cut(in, out, spec->id, why, n) : -errno;
    if (!in || !out)
        snprintf(why, n, "%s: %s", in ? to : path, strerror(-cuts));
    if (cuts == 0) {
        snprintf(why, n, "%s has no markers of lab %s", path, spec->id);
        cuts = -EINVAL;
    }
    if (in)
        fclose(in);
    if (out && fclose(out) && cuts > 0) {
        cuts = -errno;
        snprintf(why, n, "%s: %s", to, strerror(errno));
    }
    return cuts;
}

int lab_write_case(const struct lab_folders *f, const struct lab_spec *spec,
                   const struct lab_case *c, const char *to, char *why, size_t n)
{
    char real[PATH_MAX + 256], file[PATH_MAX + 256];
    size_t len = strlen(c->file);
    bool diff = len > 5 && strcmp(c->file + len - 5, ".diff") == 0;
    snprintf(real, sizeof real, "%s/%.200s", f->root, spec->cut);
    snprintf(file, sizeof file, "%s/%.200s", f->lab, c->file);
    char *patch[] = { "patch", "-s", "-o", (char *)(uintptr_t)to, real, file, NULL };
    char *copy[] = { "cp", file, (char *)(uintptr_t)to, NULL };
    return lab_run_tool(diff ? patch : copy, f, NULL, why, n) == 0 ? 0 : -EINVAL;
}
