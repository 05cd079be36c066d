/*
 * debugger/link/link.h -- a machine in another process, and all a debugger may ask of it.
 *
 *   the debugger's process                      the VMM's process
 *   terminal, files, symbols                    guest memory, engine, devices
 *     command.c, tui, gdb                         vmm.c, control.c, vm/
 *         link.c   <---- one SOCK_SEQPACKET ---->   serve.c    requests, replies, notices
 *                  <-- trace ring (memfd) -------              every event
 *                  <-- state page (memfd) -------              registers, counts, screen mode
 *                  <-> guest memory (memfds) ----              read here without asking
 *
 * link_start() forks the VMM.  The machine is built and loaded there; then the
 * VMM locks itself in (base/sandbox.h) and waits for requests, the guest
 * before its first instruction.  Nothing here touches a device other than by
 * peek, and looking changes nothing that the guest could see.
 *
 * Three states and an end:
 *
 *     LINK_STOPPED  --link_run()-->  LINK_RUNNING  --stop, pause-->  LINK_STOPPED
 *     LINK_ENDED    the guest is over (powered off, triple fault, ...); its
 *                   registers, devices and memory can still be looked at
 *     LINK_DEAD     the VMM is gone: crashed, killed, or ended by its sandbox.
 *                   Memory, the last registers and the trace can still be
 *                   looked at; what needs an answer gives -ESRCH.
 *
 * A VMM that does not answer within a few seconds gives -ETIMEDOUT, and the
 * caller may go on asking, or link_kill() it.
 *
 * Neither side believes the other: a guest may have taken over the VMM.  What
 * comes from there is checked for size and range, and its text for control
 * characters, before anybody here sees it.
 *
 * A program's main loop:
 *
 *     struct link *l = link_start(&options, why, sizeof why);
 *     link_run(l, LINK_FREE, 0);
 *     for (;;) {
 *         poll({ keyboard, link_fd(l) }, 20 ms);
 *         if (link_poll(l, 0) & LINK_NEWS_STATE && link_state(l) != LINK_RUNNING)
 *             show(link_stopped(l));
 *     }
 *
 * All functions that return int give 0 or -errno.  A link belongs to one thread.
 */
#ifndef DEBUGGER_LINK_LINK_H
#define DEBUGGER_LINK_LINK_H

#include <sys/types.h>
#include "cpu/state.h"
#include "debugger/trace/store.h"
#include "debugger/vmm/protocol.h"
#include "io/vga.h"
#include "mem/gmem.h"
#include "mem/walk.h"
#include "vm/pc.h"
#include "vm/vm.h"

struct debuginfo;
struct link;
struct symbols;

/*
 * Beginning and end
 */

/* Fork, build, load, lock in.  NULL, and a sentence in why: "" if the VMM has said it itself. */
struct link *link_start(const struct link_options *o, char *why, size_t n);

/* Ends the VMM if it lives; closes the trace file.  l may be NULL. */
void link_end(struct link *l);

pid_t link_pid(const struct link *l);           /* of the VMM */
void  link_patience(struct link *l, int ms);    /* how long to wait for an answer (5000)  */
/* the VMM itself is stopped: requests get -EAGAIN at once */
void  link_hold(struct link *l, bool on);
void  link_kill(struct link *l);                /* the way out for a VMM that hangs */

/* Everything recorded so far, and what comes: link_poll() adds to it. */
struct store *link_store(struct link *l);

/*
 * What is new
 */

extern const char *const link_state_names[4];

enum {
    LINK_NEWS_STATE  = 1,               /* it stopped, ended or died   */
    LINK_NEWS_EVENTS = 2,               /* the trace has grown         */
    LINK_NEWS_OUTPUT = 4,               /* serial or debug console     */
    LINK_NEWS_WORDS  = 8,               /* the monitor said something on its stderr */
};

/* Readable when link_poll() has something to do (the trace ring besides: a
 * running machine should be polled every 20 ms or so, for the VMM waits when
 * the ring is full). */
int link_fd(const struct link *l);

/* Take what has come, waiting at most timeout_ms for the first (0: not at all,
 * -1: for ever).  LINK_NEWS_ bits. */
unsigned link_poll(struct link *l, int timeout_ms);

enum link_state link_state(const struct link *l);

/* Why it is not running. */
const struct link_stop *link_stopped(const struct link *l);

/* Guest output since the last call, at most n bytes; how many.  At most the last
 * 64 KiB are kept for who does not ask. */
size_t link_take_output(struct link *l, enum link_output which, char *buf, size_t n);
size_t link_take_words(struct link *l, char *buf, size_t n);    /* the monitor's own stderr */

/*
 * Running
 */

/* Go; -EBUSY if it runs already, -EOWNERDEAD if the guest has ended.  Returns at
 * once; LINK_NEWS_STATE follows. */
int link_run(struct link *l, enum link_run how, uint64_t n);

/* How it was sent running last. */
enum link_run link_how(const struct link *l);

/* At least one instruction, and until the pc (linear) has left [lo, hi): into a
 * function that is called from there, or an interrupt's handler, too.  Runs at
 * nearly full speed on an engine that counts. */
int link_run_range(struct link *l, gla_t lo, gla_t hi);

/* Does a guest that is stepped take interrupts?  (LINK_STEP, _STEP_RANGE, _NEXT, _FINISH; what
 * is held back comes when it runs on, or wakes it from HLT.)  At first: where
 * instructions are counted, yes, for the guest must not notice; where time is the
 * host's, no, or the timer would be due at every step. */
int link_set_step_irqs(struct link *l, bool on);
int link_pause(struct link *l);         /* the same: LINK_NEWS_STATE follows.  One that is
                                           LINK_STARVED is LINK_PAUSED at once */

/*
 * Guest and monitor side by side: stop the guest when the monitor is about to answer one of
 * these exits (BIT of its index in exit_infos; 0: none), the instruction half done.  To
 * run on from there answers the exit first.  Until then the registers cannot be set.
 */
int      link_follow(struct link *l, uint64_t exits);
uint64_t link_following(const struct link *l);

/* From LINK_AT_EXIT on to the end of the instruction, told to a VMM that a tracer holds and
 * that cannot answer: it starts as soon as it is let go. */
int link_go_on(struct link *l);

/* The VMM is held by its tracer (link_options.tracer): what needs an answer gives -EAGAIN. */
bool link_held(const struct link *l);

/* Why the last of these, or of the snapshots below, was refused: a sentence, or "". */
const char *link_refusal(const struct link *l);

/* Poll until it is not running, at most timeout_ms (-1: for ever): 0, -ETIMEDOUT,
 * or -EINTR if a signal handler was run meanwhile (Ctrl-C). */
int link_wait(struct link *l, int timeout_ms);

/*
 * The CPU.  Asks nobody: as of now if it is not running, else at most 1 ms of
 * virtual time old; of a dead VMM the last.
 */

void link_get_state(const struct link *l, struct cpu_state *s);

/* Only these ST_ groups are wanted, others may be older.  Asks nobody for GPRS, SEGS and
 * CRS; what else an engine has to ask the host for comes when it is wanted. */
void link_get_groups(const struct link *l, unsigned groups, struct cpu_state *s);
int  link_set_state(struct link *l, unsigned groups, const struct cpu_state *s);

/* Numbers that live in the state page; the same age as the registers. */
void link_get_status(const struct link *l, struct link_status *s);

/*
 * Memory
 *
 * Reads come straight from the memfds: no answer needed, no page populated, no
 * device disturbed.  Writes are done by the VMM, which tells its caches.
 */

/* hva is NULL, memfd is good */
size_t link_regions(const struct link *l, const struct gmem_region **r);
/* -EFAULT: no memory there */
int link_read_phys(const struct link *l, gpa_t gpa, void *buf, uint64_t n);
int link_write_phys(struct link *l, gpa_t gpa, const void *buf, uint64_t n);

/* By the guest's tables as they are; -EFAULT where they lead nowhere. */
int link_read_linear(const struct link *l, gla_t gla, void *buf, uint64_t n);
int link_write_linear(struct link *l, gla_t gla, const void *buf, uint64_t n);

/* How many of the n bytes at gla can be read. */
uint64_t link_readable(const struct link *l, gla_t gla, uint64_t n);

/* The guest's walk, peeking; access of WALK_ bits. */
void link_walk(const struct link *l, gla_t gla, unsigned access, struct walk *w);

/* The monitor's own table: EPT of a gpa (--mmu nested), the shadow of a gla. */
/* -ENOTSUP: kvm's own */
int link_second(struct link *l, uint64_t address, struct link_second *out);

/*
 * Devices: by peek only
 */

/* Field tables; `dev` is NULL, the values come by link_device(). */
size_t link_parts(struct pc_part *out, size_t n);

/* The values of all elements of all fields of part i, in the table's order;
 * *n is the room, then how many there are. */
int link_device(struct link *l, unsigned part, uint64_t *values, size_t *n);

/* What reading a port or a device's memory would give.  -ENXIO: nobody is there. */
int link_peek_port(struct link *l, uint16_t port, unsigned size, uint64_t *value);
int link_peek_mmio(struct link *l, gpa_t gpa, unsigned size, uint64_t *value);

/* The text screen: its shape, checked; then cells[row * columns + column], the
 * character (code page 437) in the low byte, the attribute in the high. */
#define LINK_CELLS (132 * 60)
int link_screen(const struct link *l, struct vga_text *m, uint16_t cells[LINK_CELLS]);

/*
 * Snapshots: all of the machine in a file, taken and put back while it is not
 * running.  A file that is no snapshot of such a machine is refused with a
 * sentence in why, and the machine is as before.
 */
int link_save(struct link *l, int fd, char *why, size_t n);
int link_load(struct link *l, int fd, char *why, size_t n);

/*
 * Typing: bytes for the serial line, or characters for the keyboard.  Returns
 * how many were taken (the rest: try later), or -errno.
 */
ssize_t link_type(struct link *l, enum link_input to, const char *bytes, size_t n);

/*
 * Breakpoints: struct link_break (vmm/protocol.h)
 */

/* -EINVAL: what is wrong with it is in why. */
int  link_break_add(struct link *l, struct link_break *b, char *why, size_t n);
/* Of breakpoint b->nr: enabled, ignore, condition and agent become those of b. */
int  link_break_change(struct link *l, const struct link_break *b, char *why, size_t n);
int  link_break_delete(struct link *l, unsigned nr);                           /* -ENOENT */
/* The i-th, with its hits so far; -ENOENT: there are not so many. */
int  link_break_at(const struct link *l, size_t i, struct link_break *b);

#endif
