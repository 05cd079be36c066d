/*
 * mem/table.c -- where the monitor's own table pages come from.
 *
 * Straight from the host, a page at a time: their addresses go into entries,
 * so they must be page-aligned, and they are few.
 */
#include "mem/table.h"

#include "base/host.h"

uint64_t *table_new(void)
{
    return host_page_alloc(PAGE_SIZE);
}

void table_free(uint64_t *page)
{
    host_page_free(page, PAGE_SIZE);
}
