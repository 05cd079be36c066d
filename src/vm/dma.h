/*
 * vm/dma.h -- guest memory as the devices may use it; the other half of io/dma.h.
 */
#ifndef VM_DMA_H
#define VM_DMA_H

#include "io/dma.h"

struct gmem;

/* A handle on the RAM in m.  It can be copied, and is good for as long as m is; refusals are
 * reported to `odd`. */
struct dma dma_to(struct gmem *m, struct oddity_log odd);

#endif
