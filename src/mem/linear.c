/*
 * mem/linear.c -- copying at linear addresses, one page at a time.
 *
 * Pages that follow each other in linear memory lie anywhere in physical memory,
 * so each is looked up by itself.
 */
#include "mem/linear.h"

#include "mem/gmem.h"
#include "mem/walk.h"

/* Of the n bytes at gla those that lie in its page, and where that page is. */
static bool first_piece(const struct paging *pg, struct gmem *m, gla_t gla, size_t n, gpa_t *gpa,
                        size_t *piece)
{
    size_t to_end = PAGE_SIZE - (gla & ~PAGE_MASK);
    struct walk w;

    walk(pg, m, gla, WALK_READ | WALK_PEEK, &w);
    *gpa = w.gpa;
    *piece = n < to_end ? n : to_end;
    return w.result == WALK_OK;
}

size_t linear_read(const struct paging *pg, struct gmem *m, gla_t gla, void *buf, size_t n)
{
    size_t done = 0, piece;
    gpa_t gpa;

    for (; done < n; done += piece)
        if (!first_piece(pg, m, gla + done, n - done, &gpa, &piece) ||
            gmem_read(m, gpa, (char *)buf + done, piece))
            break;
    return done;
}

size_t linear_write(const struct paging *pg, struct gmem *m, gla_t gla, const void *buf, size_t n)
{
    size_t done = 0, piece;
    gpa_t gpa;

    for (; done < n; done += piece)
        if (!first_piece(pg, m, gla + done, n - done, &gpa, &piece) ||
            gmem_write(m, gpa, (const char *)buf + done, piece))
            break;
    return done;
}
