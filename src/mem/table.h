/*
 * mem/table.h -- where the pages of shadow tables come from.
 */
#ifndef MEM_TABLE_H
#define MEM_TABLE_H

#include "mem/hmem.h"

uint64_t *table_new(void);              /* a zeroed page; NULL and errno */
void table_free(uint64_t *page);

#endif
