/*
 * A machine in another process: run control, memory, breakpoints, the sandbox,
 * and a VMM that is killed.
 *   run    make unit
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sandbox.h"
#include "base/trace.h"
#include "debugger/vmm/wire.h"
#include "link_board.h"

/* 16-bit code at 1000h: counts in BX and at [2000h], writes "A" to COM1 each time round.
 *   1000  mov dx,3f8h   1003  xor bx,bx      1005  inc bx        1006  mov [2000h],bx
 *   100a  mov al,'A'    100c  out dx,al      100d  call 1012h    1010  jmp 1005h
 *   1012  nop           1013  ret */
static const uint8_t loop_code[] = {
    0xba, 0xf8, 0x03, 0x31, 0xdb, 0x43, 0x89, 0x1e, 0x00, 0x20, 0xb0, 0x41, 0xee, 0xe8, 0x02, 0x00,
    0xeb, 0xf3, 0x90, 0xc3,
};
/* cli; hlt */
static const uint8_t halt_code[] = { 0xfa, 0xf4 };
/* The 8259A set up for the keyboard alone; sti; hlt: for ever, if nobody types */
static const uint8_t wait_code[] = {
    0xb0, 0x11, 0xe6, 0x20, 0xb0, 0x20, 0xe6, 0x21, 0xb0, 0x04, 0xe6, 0x21, 0xb0, 0x01, 0xe6, 0x21,
    0xb0, 0xfd, 0xe6, 0x21, 0xfb, 0xf4, 0xeb, 0xfc,
};
static char path[] = "/tmp/vitrine-test-link-XXXXXX";

static struct link *start(const uint8_t *code, size_t n)
{
    return start_guest(path, code, n);
}

#define START(code) start(code, sizeof(code))

static uint64_t rip(const struct link *l)
{
    struct cpu_state s;
    link_get_state(l, &s);
    return s.rip;
}

static void go(struct link *l, enum link_run how, uint64_t n)
{
    assert_int_equal(link_run(l, how, n), 0);
    assert_int_equal(link_wait(l, 5000), 0);
}

static void steps(void **state)
{
    (void)state;
    struct link *l = START(loop_code);
    assert_int_equal(link_state(l), LINK_STOPPED);
    assert_int_equal(link_stopped(l)->why, LINK_AT_START);
    assert_int_equal(rip(l), 0x1000);
    go(l, LINK_STEP, 1);
    assert_int_equal(rip(l), 0x1003);
    assert_int_equal(link_stopped(l)->why, LINK_STEPPED);
    go(l, LINK_STEP, 3);
    assert_int_equal(rip(l), 0x100a);
    go(l, LINK_STEP, 1);
    go(l, LINK_STEP, 1);                        /* over OUT, which exits */
    assert_int_equal(rip(l), 0x100d);
    go(l, LINK_NEXT, 0);                        /* over the call */
    assert_int_equal(rip(l), 0x1010);
    go(l, LINK_STEP_EXIT, 1);
    assert_int_equal(rip(l), 0x100d);
    go(l, LINK_STEP, 1);
    assert_int_equal(rip(l), 0x1012);
    go(l, LINK_FINISH, 0);
    assert_int_equal(rip(l), 0x1010);
    go(l, LINK_STEP, 1000000);
    struct link_status st;
    link_get_status(l, &st);
    assert_true(st.icount > 1000000);
    link_end(l);
}

/* Stopped before the answer: the guest stands at the OUT, nothing has been written; what
 * goes on from there is the same as without. */
static void follow(void **state)
{
    (void)state;
    char buf[8];
    struct cpu_state s;
    struct link_status before, after;
    struct link *l = START(loop_code);
    assert_int_equal(link_follow(l, BIT(EXIT_IDX_IO)), 0);
    assert_int_equal(link_following(l), BIT(EXIT_IDX_IO));
    go(l, LINK_FREE, 0);
    assert_int_equal(link_stopped(l)->why, LINK_AT_EXIT);
    assert_non_null(strstr(link_stopped(l)->text, "IO out 0x3f8"));
    assert_true(link_stopped(l)->seq != 0);
    assert_int_equal(rip(l), 0x100c);
    assert_int_equal(link_take_output(l, LINK_SERIAL, buf, sizeof buf), 0);
    link_get_status(l, &before);
    link_get_state(l, &s);
    s.gpr[RAX] = 'B';
    assert_int_equal(link_set_state(l, ST_GPRS, &s), -EBUSY);
    go(l, LINK_STEP, 1);
    assert_int_equal(link_stopped(l)->why, LINK_STEPPED);
    assert_int_equal(rip(l), 0x100d);
    link_get_status(l, &after);
    assert_int_equal(after.icount, before.icount + 1);
    go(l, LINK_FREE, 0);
    assert_int_equal(link_go_on(l), 0);
    assert_int_equal(link_wait(l, 5000), 0);
    assert_int_equal(rip(l), 0x100d);
    go(l, LINK_FREE, 0);
    assert_int_equal(rip(l), 0x100c);
    assert_int_equal(link_follow(l, 0), 0);
    assert_int_equal(link_run(l, LINK_FREE, 0), 0);         /* runs free from the midst of one */
    assert_int_equal(link_wait(l, 50), -ETIMEDOUT);
    assert_true(link_take_output(l, LINK_SERIAL, buf, sizeof buf) > 0);
    assert_int_equal(buf[0], 'A');
    link_end(l);
}

static void ranges(void **state)
{
    (void)state;
    struct link *l = START(loop_code);
    assert_int_equal(link_run_range(l, 0x1000, 0x100d), 0);     /* over OUT, up to the call */
    assert_int_equal(link_wait(l, 5000), 0);
    assert_int_equal(link_stopped(l)->why, LINK_STEPPED);
    assert_int_equal(rip(l), 0x100d);
    assert_int_equal(link_run_range(l, 0x100d, 0x1012), 0);     /* into it */
    assert_int_equal(link_wait(l, 5000), 0);
    assert_int_equal(rip(l), 0x1012);
    assert_int_equal(link_run_range(l, 0x5000, 0x6000), 0);     /* never in there: one instruction */
    assert_int_equal(link_wait(l, 5000), 0);
    assert_int_equal(rip(l), 0x1013);
    assert_int_equal(link_run_range(l, 0x1000, 0x1014), 0);     /* the guest never leaves that */
    assert_int_equal(link_wait(l, 100), -ETIMEDOUT);
    assert_int_equal(link_pause(l), 0);
    assert_int_equal(link_wait(l, 5000), 0);
    assert_int_equal(link_stopped(l)->why, LINK_PAUSED);
    struct link_status st;
    link_get_status(l, &st);
    assert_true(st.icount > 1000);
    link_end(l);
}

static void memory_and_registers(void **state)
{
    uint8_t code[sizeof loop_code];
    uint16_t counter = 0;
    struct cpu_state s;
    (void)state;
    struct link *l = START(loop_code);
    assert_int_equal(link_read_phys(l, 0x1000, code, sizeof code), 0);
    assert_memory_equal(code, loop_code, sizeof code);
    assert_int_equal(link_read_phys(l, 0x40000000, code, 1), -EFAULT);
    link_get_state(l, &s);
    s.rip = 0x1005;
    s.gpr[RBX] = 0x1233;
    assert_int_equal(link_set_state(l, ST_GPRS, &s), 0);
    go(l, LINK_STEP, 2);
    assert_int_equal(link_read_linear(l, 0x2000, &counter, 2), 0);
    assert_int_equal(counter, 0x1234);
    assert_int_equal(link_write_linear(l, 0x100a, "\xb0\x42", 2), 0);   /* mov al,'B' */
    go(l, LINK_STEP_EXIT, 1);
    link_get_state(l, &s);
    assert_int_equal(s.gpr[RAX] & 0xff, 'B');
    assert_int_equal(link_write_phys(l, 0x40000000, "x", 1), -EFAULT);
    link_end(l);
}

static struct link_break point(unsigned kind, uint64_t at, const char *event, const char *condition)
{
    struct link_break b = { .kind = kind, .at = at, .len = 2, .access = BREAK_CHANGE, .enabled = true };
    snprintf(b.event, sizeof b.event, "%s", event);
    snprintf(b.condition, sizeof b.condition, "%s", condition);
    return b;
}

static void breakpoints(void **state)
{
    char why[300];
    uint16_t bx;
    struct cpu_state s;
    (void)state;
    struct link *l = START(loop_code);
    struct link_break b = point(BREAK_CODE, 0x1012, "", "bx == 100");
    assert_int_equal(link_break_add(l, &b, why, sizeof why), 0);
    go(l, LINK_FREE, 0);
    assert_int_equal(link_stopped(l)->why, LINK_BREAK);
    assert_int_equal(link_stopped(l)->nr, b.nr);
    link_get_state(l, &s);
    assert_int_equal(s.gpr[RBX], 100);
    assert_int_equal(rip(l), 0x1012);

    struct link_break *c = &(struct link_break){ 0 };
    assert_int_equal(link_break_at(l, 0, c), 0);
    assert_int_equal(c->hits, 1);
    c->condition[0] = 0;
    c->ignore = 4;
    assert_int_equal(link_break_change(l, c, why, sizeof why), 0);
    go(l, LINK_FREE, 0);
    link_get_state(l, &s);
    assert_int_equal(s.gpr[RBX], 105);
    assert_int_equal(link_break_delete(l, b.nr), 0);
    assert_int_equal(link_break_delete(l, b.nr), -ENOENT);

    b = point(BREAK_DATA, 0x2000, "", "");                /* before the write of 106 */
    assert_int_equal(link_break_add(l, &b, why, sizeof why), 0);
    go(l, LINK_FREE, 0);
    assert_int_equal(link_stopped(l)->why, LINK_BREAK);
    assert_int_equal(rip(l), 0x100a);                   /* behind the one that wrote */
    assert_int_equal(link_read_phys(l, 0x2000, &bx, 2), 0);
    assert_int_equal(bx, 106);
    assert_int_equal(link_break_delete(l, b.nr), 0);

    b = point(BREAK_EVENT, 0, "IO_WRITE && port==0x3f8", "u16[0x2000] >= 200");
    b.temporary = true;
    assert_int_equal(link_break_add(l, &b, why, sizeof why), 0);
    go(l, LINK_FREE, 0);
    assert_int_equal(link_read_phys(l, 0x2000, &bx, 2), 0);
    assert_int_equal(bx, 200);
    assert_int_equal(link_break_at(l, 0, &b), -ENOENT);

    b = point(BREAK_EVENT, 0, "no such thing", "");
    assert_int_equal(link_break_add(l, &b, why, sizeof why), -EINVAL);
    assert_true(strlen(why) > 10);
    b = point(BREAK_CODE, 0x1000, "", "1 +");
    assert_int_equal(link_break_add(l, &b, why, sizeof why), -EINVAL);
    link_end(l);
}

static void pause_and_output(void **state)
{
    char out[100];
    (void)state;
    struct link *l = START(loop_code);
    assert_int_equal(link_run(l, LINK_FREE, 0), 0);
    assert_int_equal(link_run(l, LINK_FREE, 0), -EBUSY);
    assert_int_equal(link_wait(l, 50), -ETIMEDOUT);
    assert_int_equal(link_pause(l), 0);
    assert_int_equal(link_wait(l, 2000), 0);
    assert_int_equal(link_stopped(l)->why, LINK_PAUSED);
    assert_true(link_take_output(l, LINK_SERIAL, out, sizeof out) > 10);
    assert_int_equal(out[0], 'A');
    assert_true(store_n_events(link_store(l)) > 1000);
    assert_int_equal(store_lost(link_store(l)), 0);
    link_end(l);
}

static void ends(void **state)
{
    struct cpu_state s;
    (void)state;
    struct link *l = START(halt_code);
    go(l, LINK_FREE, 0);
    assert_int_equal(link_state(l), LINK_ENDED);
    assert_int_equal(link_stopped(l)->vm_stop, VM_HALTED);
    link_get_state(l, &s);
    assert_int_equal(s.rip, 0x1002);
    assert_int_equal(link_run(l, LINK_FREE, 0), -EOWNERDEAD);
    link_end(l);
    l = START(wait_code);                       /* only a key will wake it: told, not waited for */
    go(l, LINK_FREE, 0);
    assert_int_equal(link_state(l), LINK_STOPPED);
    assert_int_equal(link_stopped(l)->why, LINK_STARVED);
    link_end(l);
}

static void devices(void **state)
{
    static uint64_t values[4096];
    struct pc_part part[32];
    struct link_second second;
    uint64_t v;
    (void)state;
    struct link *l = START(loop_code);
    size_t n_parts = link_parts(l, part, 32), n = 4096;
    go(l, LINK_STEP_EXIT, 3);
    assert_true(n_parts > 5);
    for (unsigned i = 0; i < n_parts; i++, n = 4096)
        assert_int_equal(link_device(l, i, values, &n), 0);
    assert_int_equal(link_device(l, (unsigned)n_parts, values, &n), -ENOENT);
    assert_int_equal(link_peek_port(l, 0x3fd, 1, &v), 0);
    assert_int_equal(link_peek_port(l, 0x9999, 1, &v), -ENXIO);
    assert_int_equal(link_second(l, 0x1000, &second), 0);
    assert_true(second.ok && second.depth == 4);
    link_end(l);
}

static void killed(void **state)
{
    uint8_t code[4];
    struct cpu_state s;
    (void)state;
    struct link *l = START(loop_code);
    assert_int_equal(link_run(l, LINK_FREE, 0), 0);
    assert_int_equal(link_wait(l, 50), -ETIMEDOUT);
    kill(link_pid(l), SIGKILL);
    assert_int_equal(link_wait(l, 2000), 0);
    assert_int_equal(link_state(l), LINK_DEAD);
    assert_non_null(strstr(link_stopped(l)->text, "killed"));
    assert_int_equal(link_read_phys(l, 0x1000, code, sizeof code), 0);      /* memory is still here */
    assert_memory_equal(code, loop_code, sizeof code);
    link_get_state(l, &s);
    assert_in_range(s.rip, 0x1000, 0x1014);
    assert_true(s.gpr[RBX] > 0);
    uint64_t n = store_n_events(link_store(l));
    assert_true(n > 1000);
    assert_non_null(store_at(link_store(l), n - 1));
    assert_int_equal(link_run(l, LINK_FREE, 0), -ESRCH);
    assert_int_equal(link_write_phys(l, 0x1000, "x", 1), -ESRCH);
    link_end(l);
}

static void hangs(void **state)
{
    (void)state;
    struct link *l = START(loop_code);
    kill(link_pid(l), SIGSTOP);
    assert_int_equal(link_run(l, LINK_STEP, 1), -ETIMEDOUT);
    kill(link_pid(l), SIGCONT);
    assert_int_equal(link_wait(l, 2000), 0);
    go(l, LINK_STEP, 1);
    link_kill(l);
    assert_int_equal(link_state(l), LINK_DEAD);
    link_end(l);
}

static void refused(void **state)
{
    char why[300];
    (void)state;
    struct link_options o = {
        .machine = { .engine = &engine_soft, .mmu = MMU_NESTED, .ram_bytes = 2 << 20 },
        .guest = { .path = "/nonexistent" },
    };
    assert_null(link_start(&o, why, sizeof why));
    assert_non_null(strstr(why, "/nonexistent"));
}

/* A VMM without a link: we hold the other end of its socket ourselves. */
static pid_t start_bare(int *sock)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    pid_t pid = fork();
    if (pid == 0) {
        static struct wire_page page;
        const struct link_options o = {
            .machine = { .engine = &engine_soft, .mmu = MMU_NESTED, .ram_bytes = 2 << 20 },
            .guest = { .path = path, .format = "flat@0x1000:16" },
        };
        close(pair[0]);
        vmm_serve(&o, pair[1], trace_new(64), &page);
    }
    close(pair[1]);
    *sock = pair[0];
    return pid;
}

static unsigned count_descriptors(pid_t pid)
{
    char name[64];
    unsigned n = 0;
    snprintf(name, sizeof name, "/proc/%d/fd", (int)pid);
    DIR *d = opendir(name);
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* Send a head that promises a body, without the body; and our stdin along with it. */
static void send_torn(int sock)
{
    struct wire_head h = { .type = WIRE_SAVE, .id = 7, .bytes = 100 };
    struct iovec part = { &h, sizeof h };
    union { struct cmsghdr head; char room[CMSG_SPACE(sizeof(int))]; } control = { .head = {
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
    struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                          .msg_controllen = sizeof control };
    memcpy(CMSG_DATA(&control.head), &(int){ STDIN_FILENO }, sizeof(int));
    assert_true(sendmsg(sock, &msg, MSG_NOSIGNAL) > 0);
}

/* What does not have the length of its type is refused, and its file is closed. */
static void malformed(void **state)
{
    (void)state;
    static char buf[WIRE_MAX];
    int sock;
    const struct wire_head *h = (void *)buf;
    pid_t pid = start_bare(&sock);
    assert_true(recv(sock, buf, sizeof buf, 0) > 0);
    assert_int_equal(h->type, WIRE_READY);
    unsigned before = count_descriptors(pid);
    for (unsigned i = 0; i < 10; i++) {
        send_torn(sock);
        assert_true(recv(sock, buf, sizeof buf, 0) > 0);
        assert_int_equal(h->error, -EBADMSG);
        assert_int_equal(h->id, 7);
    }
    assert_int_equal(count_descriptors(pid), before);
    close(sock);
    waitpid(pid, NULL, 0);
}

/* What does a process in the sandbox come to that does this? */
static int fate(void (*forbidden)(void))
{
    char why[200];
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        close(STDERR_FILENO);
        if (sandbox_enter(0, why, sizeof why))
            _exit(1);
        forbidden();
        _exit(0);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void nothing(void)    { }
static void open_file(void)  { if (fopen("/etc/passwd", "r")) _exit(2); }
static void run_shell(void)  { execl("/bin/sh", "sh", "-c", "true", NULL); }
static void make_child(void) { fork(); }
static void call_out(void)   { socket(AF_INET, SOCK_STREAM, 0); }
static void kill_parent(void) { kill(getppid(), 0); }

static void sandbox(void **state)
{
    (void)state;
    assert_int_equal(fate(nothing), 0);
    assert_int_equal(fate(run_shell), SANDBOX_EXIT);
    assert_int_equal(fate(call_out), SANDBOX_EXIT);
    assert_int_equal(fate(kill_parent), SANDBOX_EXIT);
#if !defined(__SANITIZE_ADDRESS__)      /* a sanitizer's report needs these */
    assert_int_equal(fate(open_file), SANDBOX_EXIT);
    assert_int_equal(fate(make_child), SANDBOX_EXIT);
#endif
    (void)open_file, (void)make_child;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps), cmocka_unit_test(follow), cmocka_unit_test(ranges), cmocka_unit_test(memory_and_registers), cmocka_unit_test(breakpoints),
        cmocka_unit_test(pause_and_output), cmocka_unit_test(ends), cmocka_unit_test(devices),
        cmocka_unit_test(killed), cmocka_unit_test(hangs), cmocka_unit_test(refused),
        cmocka_unit_test(malformed),
        cmocka_unit_test(sandbox),
    };
    int fd = mkstemp(path);
    if (fd >= 0)
        close(fd);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
