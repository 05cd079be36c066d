/*
 * cpu/kvm/pager.c -- the first touch of every guest page, made visible.
 *
 * KVM fills its second-level tables (EPT or NPT) in the kernel and tells nobody.  So the engine
 * gives KVM a mapping of its own of each region's memfd, empty at first and registered with
 * userfaultfd.  What happens at a first touch:
 *
 *   guest       accesses a page that KVM's mapping does not have
 *   kernel      stops the vCPU where it is, and sends the pager's thread a message
 *   thread      notes the page, signals the vCPU's thread, puts the page into the mapping
 *   vCPU        KVM_RUN returns because of the signal, with the access not done yet
 *   run()       takes the note and tells it as an EPT violation
 *
 * The monitor's own mapping (gmem_hva) is not registered, so loaders and device DMA never wait
 * here, and a page that they have filled is still a first touch when the guest comes to it.
 *
 * Why a thread and not userfaultfd's cheaper SIGBUS mode: KVM also reads guest memory itself
 * (page walks, emulation), and takes a refused access there for a fault of the guest's.
 *
 * Notes are in order and never lost: each page makes one, and one more each time it is to be
 * touched anew (pager_again()).  Begin with pager_thread().  [userfaultfd(2)]
 */
#include "cpu/kvm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/host.h"
#include "mem/dirty.h"
#include "mem/gmem.h"

/* A region of guest memory, and the mapping of it that KVM has. */
struct pager_region { const struct gmem_region *r; uint8_t *hva; };

struct kvm_pager {
    int                  uffd;          /* the userfaultfd: faults are read from it  */
    int                  stop_fd;       /* an eventfd: the thread ends when it is set */
    struct pager_region *region;
    size_t               n_regions, n_pages;
    uint64_t            *note;          /* a ring of n_pages: gpa | NOTE_WRITE, as touched */
    atomic_size_t        n_notes;       /* so many were noted, by the thread         */
    size_t               n_taken;       /* so many of them were told, by run()       */
    uint8_t             *touched;       /* one byte a page: noted already    */
    pthread_t            thread;
    pthread_mutex_t      serving;       /* a page is noted and not supplied yet */
    bool                 started;
    sem_t                runs;          /* the thread is there and waits for faults */
    void               (*notify)(void *arg);
    void                *arg;
};

/* Notes are page addresses, so bit 0 is free. */
#define NOTE_WRITE BIT(0)

/* Write the sentence, with what errno says and what the user could do.  Returns -errno. */
static int explain_errno(char *why, size_t n, const char *what)
{
    int err = errno;
    snprintf(why, n, "first touches are not seen: %s (%s)%s", what, strerror(err),
             err == EPERM || err == EACCES ? "; allow it with: sysctl vm.unprivileged_userfaultfd=1"
                                           : "");
    return -err;
}

/* MINOR_SHMEM: a page that is in the file already but not in KVM's mapping is a fault too,
 * a "minor" one.  Most pages are such: our loaders wrote them.  [userfaultfd(2),
 * ioctl_userfaultfd(2)] */
static int open_uffd(char *why, size_t n)
{
    struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_MINOR_SHMEM };
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return explain_errno(why, n, "no userfaultfd");
    if (ioctl(fd, UFFDIO_API, &api)) {
        int err = explain_errno(why, n, "userfaultfd of this kernel is too old for shared memory");
        close(fd);
        return err;
    }
    return fd;
}

/* Map the region's file a second time, and have faults in this mapping sent to us. */
static int register_region(struct kvm_pager *p, struct pager_region *pr, char *why, size_t n)
{
    const struct gmem_region *r = pr->r;
    void *hva = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED, r->memfd,
                     (off_t)r->memfd_off);
    if (hva == MAP_FAILED)
        return explain_errno(why, n, "cannot map guest memory again");
    pr->hva = hva;
    struct uffdio_register reg = {
        .range = { (uintptr_t)hva, r->size },
        .mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR,
    };
    if (ioctl(p->uffd, UFFDIO_REGISTER, &reg))
        return explain_errno(why, n, "userfaultfd does not take guest memory");
    return 0;
}

/* ---- the thread ---- */

/* Pages are numbered through all regions; off is an offset into region pr. */
static size_t page_number(const struct kvm_pager *p, const struct pager_region *pr, uint64_t off)
{
    size_t page = off / PAGE_SIZE;
    for (const struct pager_region *q = p->region; q < pr; q++)
        page += q->r->size / PAGE_SIZE;
    return page;
}

/* The region in whose mapping the host address `at` lies. */
static struct pager_region *region_of(struct kvm_pager *p, uint64_t at)
{
    for (size_t i = 0; i < p->n_regions; i++)
        if (at - (uintptr_t)p->region[i].hva < p->region[i].r->size)
            return &p->region[i];
    return NULL;
}

/* In the pager's thread.  The note is complete before n_notes counts it (release). notify()
 * comes while the vCPU is still held in the kernel, so that it comes out at this page and
 * not later. */
static void note_touch(struct kvm_pager *p, const struct pager_region *pr, uint64_t off, bool write)
{
    size_t page = page_number(p, pr, off);
    size_t n = atomic_load_explicit(&p->n_notes, memory_order_relaxed);

    if (p->touched[page])
        return;
    p->touched[page] = 1;
    p->note[n % p->n_pages] = (pr->r->base + off) | (write ? NOTE_WRITE : 0);
    atomic_store_explicit(&p->n_notes, n + 1, memory_order_release);
    p->notify(p->arg);
}

/* Let the vCPU go on: the page must be in the file (reading a byte through our own mapping
 * puts it there), and then in KVM's mapping, which UFFDIO_CONTINUE does and wakes who
 * waits.  If it is there already (EEXIST), somebody may wait all the same. */
static void supply_page(struct kvm_pager *p, const struct pager_region *pr, uint64_t off)
{
    uint64_t at = (uintptr_t)pr->hva + off;
    struct uffdio_continue c = { .range = { at, PAGE_SIZE } };

    (void)*(volatile uint8_t *)gmem_hva(pr->r, pr->r->base + off, 1);
    if (ioctl(p->uffd, UFFDIO_CONTINUE, &c) == 0)
        return;
    struct uffdio_range range = { at, PAGE_SIZE };
    bug_if(errno != EEXIST && errno != EAGAIN, "UFFDIO_CONTINUE at gpa %#llx: %s",
           (unsigned long long)(pr->r->base + off), strerror(errno));
    ioctl(p->uffd, UFFDIO_WAKE, &range);
}

/* The thread: it sleeps until a page is missed, or until stop_fd says that the VM is being
 * destroyed. */
static void *pager_thread(void *arg)
{
    struct kvm_pager *p = arg;
    struct pollfd fds[2] = { { .fd = p->uffd, .events = POLLIN },
                             { .fd = p->stop_fd, .events = POLLIN } };
    struct uffd_msg msg;

    sem_post(&p->runs);
    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            bug("poll: %s", strerror(errno));
        if (fds[1].revents)
            return NULL;
        while (read(p->uffd, &msg, sizeof(msg)) == sizeof(msg)) {
            if (msg.event != UFFD_EVENT_PAGEFAULT)
                continue;
            uint64_t at = msg.arg.pagefault.address & PAGE_MASK;
            struct pager_region *pr = region_of(p, at);
            bug_if(!pr, "page fault at %#llx, which is no guest memory", (unsigned long long)at);
            pthread_mutex_lock(&p->serving);
            note_touch(p, pr, at - (uintptr_t)pr->hva,
                 msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WRITE);
            supply_page(p, pr, at - (uintptr_t)pr->hva);
            pthread_mutex_unlock(&p->serving);
        }
    }
}

/* ---- for the engine ---- */

/* Take the page out of KVM's mapping: MADV_DONTNEED removes it from there and not from the
 * file, so the next access faults. */
static void set_untouched(struct kvm_pager *p, const struct pager_region *pr, uint64_t off,
                          bool is_first)
{
    size_t page = page_number(p, pr, off);
    if (is_first && p->touched[page] && madvise(pr->hva + off, PAGE_SIZE, MADV_DONTNEED))
        return;
    p->touched[page] = !is_first;
}

/* The vCPU is not running, but a signal may have taken it away from a page that the thread
 * has still to supply; the lock keeps the two apart. */
void pager_again(struct kvm_pager *p, gpa_t gpa, bool is_first)
{
    pthread_mutex_lock(&p->serving);
    for (size_t i = 0; i < p->n_regions; i++) {
        const struct pager_region *pr = &p->region[i];
        uint64_t off = (gpa & PAGE_MASK) - pr->r->base;
        if (off < pr->r->size)
            set_untouched(p, pr, off, is_first);
    }
    pthread_mutex_unlock(&p->serving);
}

/* Another state is loaded: what the guest has touched and nobody was told of, it will touch
 * again. */
void pager_forget_notes(struct kvm_pager *p)
{
    struct touch t;
    while (pager_take(p, &t))
        pager_again(p, t.gpa, true);
}

/* A page makes at most one note until it is touched anew, so n_pages notes are enough for
 * the ring.  host_page_alloc() gives memory that costs nothing until it is used. */
struct kvm_pager *pager_new(const struct gmem *m, char *why, size_t n)
{
    struct kvm_pager *p = calloc(1, sizeof(*p));

    if (!p) {
        explain_errno(why, n, "no memory");
        return NULL;
    }
    p->stop_fd = -1;
    pthread_mutex_init(&p->serving, NULL);
    p->uffd = open_uffd(why, n);
    if (p->uffd < 0)
        goto fail;
    p->stop_fd = eventfd(0, EFD_CLOEXEC);
    p->n_regions = gmem_count(m);
    p->region = calloc(p->n_regions, sizeof(*p->region));
    if (p->stop_fd < 0 || !p->region) {
        explain_errno(why, n, "no memory");
        goto fail;
    }
    for (size_t i = 0; i < p->n_regions; i++) {
        p->region[i].r = gmem_region(m, i);
        p->n_pages += p->region[i].r->size / PAGE_SIZE;
        if (register_region(p, &p->region[i], why, n))
            goto fail;
    }
    p->note = host_page_alloc(p->n_pages * sizeof(*p->note));
    p->touched = host_page_alloc(p->n_pages);
    if (p->note && p->touched)
        return p;
    explain_errno(why, n, "no memory");
fail:
    pager_free(p);
    return NULL;
}

/* Also frees a pager that pager_new() could make only in part. */
void pager_free(struct kvm_pager *p)
{
    if (!p)
        return;
    if (p->started) {
        uint64_t one = 1;
        if (write(p->stop_fd, &one, sizeof(one)) == sizeof(one))
            pthread_join(p->thread, NULL);
    }
    for (size_t i = 0; p->region && i < p->n_regions; i++)
        if (p->region[i].hva)
            munmap(p->region[i].hva, p->region[i].r->size);
    if (p->uffd >= 0)
        close(p->uffd);
    if (p->stop_fd >= 0)
        close(p->stop_fd);
    host_page_free(p->note, p->n_pages * sizeof(*p->note));
    host_page_free(p->touched, p->n_pages);
    free(p->region);
    free(p);
}

void *pager_hva(const struct kvm_pager *p, size_t region)
{
    return p->region[region].hva;
}

/* The thread blocks all signals: they are for the threads that run guests and terminals.
 * It begins with system calls of the C library's that a sandbox may forbid later, so wait
 * until it is through with them. */
int pager_start(struct kvm_pager *p, void (*notify)(void *arg), void *arg)
{
    p->notify = notify;
    p->arg = arg;
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    sem_init(&p->runs, 0, 0);
    int err = pthread_create(&p->thread, NULL, pager_thread, p);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    p->started = err == 0;
    while (p->started && sem_wait(&p->runs))
        ;
    return -err;
}

/* The vCPU is not running, so the thread writes nothing meanwhile. */
void pager_mark_touched(const struct kvm_pager *p, size_t region, struct dirty *d)
{
    const struct pager_region *pr = &p->region[region];
    const uint8_t *touched = p->touched + page_number(p, pr, 0);
    for (uint64_t off = 0; off < pr->r->size; off += PAGE_SIZE)
        if (touched[off / PAGE_SIZE])
            dirty_mark(d, pr->r->base + off, PAGE_SIZE);
}

/* In the vCPU's thread.  Reading n_notes with acquire makes the note behind it visible. */
EXIT_PATH bool pager_take(struct kvm_pager *p, struct touch *t)
{
    if (p->n_taken == atomic_load_explicit(&p->n_notes, memory_order_acquire))
        return false;
    uint64_t n = p->note[p->n_taken++ % p->n_pages];
    t->gpa = n & PAGE_MASK;
    t->write = n & NOTE_WRITE;
    return true;
}
