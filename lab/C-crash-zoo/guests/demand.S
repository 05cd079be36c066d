/*
 * demand: a page is mapped when it is first touched.  (32 bits)
 */
    .include "zoo.inc"

    kernel
kmain:
    mark 1
    gate 14, fault
    load_idt
    paging
    mov $later, %esi
touch:
    movl $0x600d, (%esi)
read:
    cmpl $0x600d, (%esi)
    jne wrong
    done
wrong:
    jmp wrong

/* The page fault: CR2 has the address.  Its frame is the page of that address. */
fault:
    push %eax
    push %ecx
    mov %cr2, %eax
    mov %eax, %ecx
    shr $12, %ecx
    and $0xfffff000, %eax
    or $PRESENT | WRITABLE, %eax
    mov %eax, page_table(, %ecx, 4)
    pop %ecx
    pop %eax
return:
    iret
