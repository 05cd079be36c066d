/*
 * lab/common/keeper.c -- finds out which entries a student's part has written.
 *
 * The part writes through a pointer, as any program does, and nobody else is there to see it.
 * So the tables are memory that can be read only: the first write into a table faults, the
 * handler notes which table it was and lets it be written.  Before the process answers, each
 * table so noted is compared with what was told before, the difference is told, and the table
 * can be read only again.  (A monitor that write-protects its guest's page tables does the
 * same: lab 5.)
 */
#include "../lab/common/keeper.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../lab/common/part.h"

#define MAX_FRAMES 8192u

static struct {
    struct hmem hmem;
    uint64_t    frames;
    char       *told;                       /* the tables as the monitor has them     */
    uint16_t    written[MAX_FRAMES];        /* tables that can be written now ...     */
    unsigned    n_written;
    bool        is_written[MAX_FRAMES];     /* ... and the same by number             */
    uint16_t    free[MAX_FRAMES];           /* given back: the last one goes first    */
    unsigned    n_free;
    struct sigaction before;                /* the handler of faults that are the student's */
} keeper;

/* Tables are numbered from 0 here; the frame of the first one is 1. */
static void *table_number(uint64_t number)
{
    return keeper.hmem.tables + number * PAGE_SIZE;
}

static uint64_t frame(uint64_t number)
{
    return HMEM_TABLES / PAGE_SIZE + number;
}

/* A fault elsewhere is the student's: it happens once more, for the handler that was there before,
 * which says where it was (last_note.c). */
static void on_fault(int sig, siginfo_t *si, void *context)
{
    uint64_t number = ((uintptr_t)si->si_addr - (uintptr_t)keeper.hmem.tables) / PAGE_SIZE;
    (void)context;
    if ((uintptr_t)si->si_addr < (uintptr_t)keeper.hmem.tables || number >= keeper.frames ||
        keeper.is_written[number] ||
        mprotect(table_number(number), PAGE_SIZE, PROT_READ | PROT_WRITE)) {
        sigaction(sig, &keeper.before, NULL);
        return;
    }
    keeper.is_written[number] = true;
    keeper.written[keeper.n_written++] = (uint16_t)number;
}

struct hmem *keeper_hmem(uint64_t frames)
{
    struct sigaction fault = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    keeper.frames = frames < MAX_FRAMES ? frames : MAX_FRAMES;
    uint64_t bytes = keeper.frames * PAGE_SIZE;
    char *p = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    keeper.told = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || keeper.told == MAP_FAILED || sigaction(SIGSEGV, &fault, &keeper.before))
        return NULL;
    keeper.hmem = (struct hmem){ .tables = p, .tables_max = bytes };
    return &keeper.hmem;
}

/* The monitor clears a frame that is taken, and so do we. */
static hpa_t take(uint64_t number)
{
    memset(keeper.told + number * PAGE_SIZE, 0, PAGE_SIZE);
    part_tell(LAB_TABLES_NEW, frame(number));
    return frame(number) * PAGE_SIZE;
}

hpa_t hmem_table_new(struct hmem *h)
{
    if (keeper.n_free) {
        uint64_t number = keeper.free[--keeper.n_free];
        memset(table_number(number), 0, PAGE_SIZE);
        return take(number);
    }
    if (h->tables_bytes >= h->tables_max)
        return HMEM_NONE;
    h->tables_bytes += PAGE_SIZE;
    return take(h->tables_bytes / PAGE_SIZE - 1);
}

/* Whether the frame is one of its tables the monitor knows, too. */
void hmem_table_free(struct hmem *h, hpa_t hpa)
{
    uint64_t number = (hpa - HMEM_TABLES) / PAGE_SIZE;
    part_tell(LAB_TABLES_FREE, hpa / PAGE_SIZE);
    if (!hmem_table(h, hpa) || keeper.n_free == MAX_FRAMES)
        return;
    memset(table_number(number), 0, PAGE_SIZE);
    memset(keeper.told + number * PAGE_SIZE, 0, PAGE_SIZE);
    keeper.free[keeper.n_free++] = (uint16_t)number;
}

/* ---- telling ---- */

static void send_writes(struct lab_message *m)
{
    if (!m->arg[0])
        return;
    m->what = LAB_TABLES_WRITE;
    m->bytes = (uint32_t)(m->arg[0] * sizeof(struct table_write));
    lab_tell(&part_wire, m);
    m->arg[0] = 0;
}

static void tell_table(uint64_t number, struct lab_message *m)
{
    const uint64_t *now = table_number(number);
    uint64_t *told = (uint64_t *)(void *)(keeper.told + number * PAGE_SIZE);
    for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
        if (now[i] == told[i])
            continue;
        struct table_write w = { (uint32_t)frame(number), i, now[i] };
        memcpy(m->data + m->arg[0] * sizeof w, &w, sizeof w);
        told[i] = now[i];
        if (++m->arg[0] == WRITES_PER_MESSAGE)
            send_writes(m);
    }
}

void keeper_tell(void)
{
    struct lab_message m = { .arg = { 0 } };
    for (unsigned i = 0; i < keeper.n_written; i++) {
        uint64_t number = keeper.written[i];
        tell_table(number, &m);
        mprotect(table_number(number), PAGE_SIZE, PROT_READ);
        keeper.is_written[number] = false;
    }
    keeper.n_written = 0;
    send_writes(&m);
}
