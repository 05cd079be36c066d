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
 * The debugger trusts nothing that comes from the VMM's process, because a guest may
 * have found a bug and taken that process over.  Every message is checked for size and
 * range, and control characters in its text are replaced, before a caller sees it.
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
#include "cpu/delivery.h"
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

/* Fork the VMM's process, let it build the machine and load the guest, and wait until it
 * has shut itself in.  NULL if that failed: `why` is then a sentence to show, or "" if the
 * VMM has explained itself on stderr already.  The caller ends the link with link_end(). */
struct link *link_start(const struct link_options *o, char *why, size_t n);

/* Kill the VMM if it lives, close the trace file, free everything.  l may be NULL. */
void link_end(struct link *l);

pid_t link_pid(const struct link *l);           /* of the VMM */
void  link_patience(struct link *l, int ms);    /* how long to wait for an answer (5000)  */
/* Say that the VMM's process is stopped by our own ptrace() (monitor_step.c), or runs
 * again.  While it is stopped every request gives -EAGAIN at once instead of waiting for an
 * answer. */
void  link_hold(struct link *l, bool on);
void  link_kill(struct link *l);                /* the way out for a VMM that hangs */

/* The events recorded so far; link_poll() adds those that come.  It belongs to the link. */
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

/* A descriptor that poll() reports readable when link_poll() has something to do.  New
 * events in the trace ring do not make it readable: while the guest runs, call link_poll()
 * every 20 ms or so, because the VMM waits when the ring is full. */
int link_fd(const struct link *l);

/* Take everything that has come, waiting at most timeout_ms for the first thing (0: do not
 * wait, -1: for ever). The result says what is new, as LINK_NEWS_ bits. */
unsigned link_poll(struct link *l, int timeout_ms);

enum link_state link_state(const struct link *l);

/* Why the guest is not running.  Means nothing while it is LINK_RUNNING. */
const struct link_stop *link_stopped(const struct link *l);

/* Copy guest output that came since the last call into buf, at most n bytes, and say how
 * many.  If nobody asks, the last 64 KiB are kept and older bytes are dropped. */
size_t link_take_output(struct link *l, enum link_output which, char *buf, size_t n);
/* The same of what the VMM's process wrote to its stderr. */
size_t link_take_words(struct link *l, char *buf, size_t n);

/*
 * Running
 */

/* Send the guest running; `n` is a count, an address or a place, as enum link_run says of
 * `how`. Returns as soon as the VMM has accepted; the stop is reported later by
 * LINK_NEWS_STATE. -EBUSY: it runs already.  -EOWNERDEAD: the guest has ended, and `how` is
 * not a way back. */
int link_run(struct link *l, enum link_run how, uint64_t n);

/* The `how` of the latest link_run(), link_run_range() or link_go_on(). */
enum link_run link_how(const struct link *l);

/* Run at least one instruction, then until the program counter (a linear address) is
 * outside [lo, hi). A call out of the range ends it too, and so does an interrupt's
 * handler.  Runs at nearly full speed on an engine that counts instructions. */
int link_run_range(struct link *l, gla_t lo, gla_t hi);

/* May a guest that is being stepped take interrupts?  Concerns LINK_STEP, _STEP_RANGE,
 * _NEXT and _FINISH; an interrupt that is held back comes when the guest runs on, or when
 * it wakes the guest from HLT. The default is yes for an engine that counts instructions,
 * since there stepping must not change what the guest does, and no where time is the
 * host's, since there the timer would be due at every single step. */
int link_set_step_irqs(struct link *l, bool on);
/* Ask the guest to stop; LINK_NEWS_STATE follows.  A guest that halts and waits for input
 * (LINK_STARVED) counts as LINK_PAUSED at once. */
int link_pause(struct link *l);

/* Guest and monitor side by side: stop the guest when the monitor is about to answer one of
 * these exits (BIT of its index in exit_infos, LINK_FOLLOW_ALL, or 0 for none). The
 * instruction is then half done, so the registers cannot be set; running on answers the
 * exit first. */
int      link_follow(struct link *l, uint64_t exits);
uint64_t link_following(const struct link *l);

/* From LINK_AT_EXIT, finish the instruction.  The request is sent without waiting for an
 * answer, so it may be made while a tracer holds the VMM, which starts as soon as it is
 * released. */
int link_go_on(struct link *l);

/* Is the VMM stopped by a tracer: by our own (link_hold()) or by that of
 * link_options.tracer?  Then whatever needs an answer gives -EAGAIN. */
bool link_held(const struct link *l);

/* A sentence about why the latest request to run was refused, or "". It belongs to the link
 * and lasts until the next such request. */
const char *link_refusal(const struct link *l);

/* Poll until the guest is not running, at most timeout_ms (-1: for ever). 0, -ETIMEDOUT, or
 * -EINTR if a signal arrived meanwhile (Ctrl-C). */
int link_wait(struct link *l, int timeout_ms);

/*
 * The CPU.  Read from the state page, so it works while the VMM cannot answer.  If the guest
 * is not running the registers are those of now; while it runs they are at most 1 ms of
 * virtual time old; of a dead VMM they are the last it wrote.
 */

/* All registers. */
void link_get_state(const struct link *l, struct cpu_state *s);

/* Only these ST_ groups are needed, the others may be older.  GPRS, SEGS and CRS come from
 * the state page at no cost; for the rest an engine may have to ask the host's kernel,
 * which costs a request to the VMM. */
void link_get_groups(const struct link *l, unsigned groups, struct cpu_state *s);
/* Write these ST_ groups of registers.  Only while the guest does not run. */
int  link_set_state(struct link *l, unsigned groups, const struct cpu_state *s);

/* Counters of the machine from the state page, as old as the registers are. */
void link_get_status(const struct link *l, struct link_status *s);

/* The deliveries that have failed and led to where the guest stands (cpu/delivery.h), from the
 * state page; n is 0 if none has failed, or if the engine cannot see them. */
void link_get_undelivered(const struct link *l, struct delivery_chain *chain);

/* Why the guest has ended as it did, in lines of text, the same as the last words of
 * `vitrine run`.  NULL: it has not ended, or has been taken back to before its end, or this end
 * needs no explanation.  symbols (may be NULL) name addresses.  The caller frees it. */
char *link_explain(struct link *l, const struct symbols *symbols);

/* The guest does the same thing again and again, and nobody was told of that yet (vm/stuck.h):
 * true, and in buf[n] a sentence.  The same thing at the same place is told once,
 * until another comes. */
bool link_take_stuck(struct link *l, const struct symbols *symbols, char *buf, size_t n);

/*
 * Memory
 *
 * Reads come straight from the memfds: they need no answer, allocate no page and disturb no
 * device.  Writes are done by the VMM, which must tell its code cache and its tables of them.
 */

/* The machine's memory regions, which belong to the link; how many.  Their hva is NULL:
 * this process has not mapped them, it reads their memfd. */
size_t link_regions(const struct link *l, const struct gmem_region **r);
/* Copy between buf and guest-physical memory.  -EFAULT: part of the range is no memory. */
int link_read_phys(const struct link *l, gpa_t gpa, void *buf, uint64_t n);
int link_write_phys(struct link *l, gpa_t gpa, const void *buf, uint64_t n);

/* The same by linear address, through the guest's page tables as they are now.  -EFAULT: a
 * page is not mapped, or mapped to where there is no memory. */
int link_read_linear(const struct link *l, gla_t gla, void *buf, uint64_t n);
int link_write_linear(struct link *l, gla_t gla, const void *buf, uint64_t n);

/* How many bytes from gla on, at most n, link_read_linear() could read. */
uint64_t link_readable(const struct link *l, gla_t gla, uint64_t n);

/* Walk the guest's page tables for gla and keep each step (mem/walk.h). No accessed or
 * dirty bit is set.  access is made of WALK_ bits. */
void link_walk(const struct link *l, gla_t gla, unsigned access, struct walk *w);

/* The monitor's own table for an address: the EPT entry of a guest-physical address with
 * --mmu nested, the shadow entry of a linear address with --mmu shadow.  -ENOTSUP: on the
 * kvm engine these tables are inside the host's kernel. */
int link_second(struct link *l, uint64_t address, struct link_second *out);

/*
 * Devices: by peek only
 */

/* The machine's devices and what their fields are called: at most n rows into `out`; how
 * many there are.  `dev` of each is NULL, since the device itself is in the other process:
 * the values of its fields come by link_device().  l may be NULL: what
 * every machine has. */
size_t link_parts(const struct link *l, struct pc_part *out, size_t n);

/* The number of the part with this name, of len characters, small or capital; *out is its row.
 * -ENOENT: the machine has none. */
int link_part_named(const struct link *l, const char *name, size_t len, struct pc_part *out);

/* The machine's disks, as it was asked for: MAX_DISKS of them. */
const struct disk_image *link_disks(const struct link *l);

/* The values of all fields of part number `part`, element by element in the order of the
 * part's table.  *n is the room in `values`, and becomes the number of values there are.
 * -E2BIG if they did not fit; -EBADMSG if the other process does not tell as many as the table
 * has; -ENOENT if there is no such part. */
int link_device(struct link *l, unsigned part, uint64_t *values, size_t *n);

/* What the guest would get if it read `size` bytes from a port or from a device's memory
 * now, but without the side effects of a read.  -ENXIO: no device is there; *value is then
 * all ones, as on the bus. */
int link_peek_port(struct link *l, uint16_t port, unsigned size, uint64_t *value);
int link_peek_mmio(struct link *l, gpa_t gpa, unsigned size, uint64_t *value);

/* The text screen: its shape, checked; then cells[row * columns + column], the
 * character (code page 437) in the low byte, the attribute in the high. */
#define LINK_CELLS (132 * 60)
/* The text screen.  *m is its shape, checked to be sane; if m->text, cells[row * columns +
 * column] has the character (code page 437) in the low byte and the attribute in the high
 * byte. */
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

/* Add a breakpoint and put its number into b->nr.  -EINVAL: `why` says what is wrong with
 * it. */
int  link_break_add(struct link *l, struct link_break *b, char *why, size_t n);
/* Give breakpoint b->nr the enabled, ignore, condition and agent of b. */
int  link_break_change(struct link *l, const struct link_break *b, char *why, size_t n);
/* -ENOENT: there is no breakpoint of that number. */
int  link_break_delete(struct link *l, unsigned nr);
/* Copy the i-th breakpoint, with its hits so far, into b.  -ENOENT: there are fewer. */
int  link_break_at(const struct link *l, size_t i, struct link_break *b);

#endif
