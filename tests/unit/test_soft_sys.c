/*
 * The system half of the interpreter, one instruction at a time: for each row a
 * fresh machine in one of seven modes executes a few bytes, and the row says
 * which vector is entered (by which handler HLT stops it), with which error
 * code, where the saved instruction pointer points, and what is in RAX.
 *
 * The bytes were assembled with `as`; to see them:
 *     echo b8500000008ed8 | xxd -r -p | ndisasm -b32 -
 * Selectors and gates are in soft_board.h.
 */
#include "cpu/delivery.h"
#include "soft_board.h"

struct row {
    struct program p;
    int         vector;         /* entered; NONE: the code's own HLT was reached */
    int64_t     error;          /* pushed                                     */
    int         ip;             /* pushed (NONE: reached), from CODE          */
    int64_t     rax;
};

static const struct row rows[] = {
    { { "data: not present", P0, 0,
        "b8500000008ed8" }, 11, 0x50, 5, ANY },
    { { "data: execute-only code", P0, 0,
        "b8600000008ed8" }, 13, 0x60, 5, ANY },
    { { "data: read-only data is fine", P0, 0,
        "b8580000008ed88cd8f4" }, NONE, ANY, 9, 0x58 },
    { { "data: a TSS is no data", P0, 0,
        "b8280000008ec0" }, 13, 0x28, 5, ANY },
    { { "data: beyond the GDT", P0, 0,
        "b8d30100008ee0" }, 13, 0x1d0, 5, ANY },
    { { "data: beyond the LDT", P0, 0,
        "b80c0000008ee8" }, 13, 0x0c, 5, ANY },
    { { "data: from the LDT", P0, 0,
        "b8040000008ee88ce8f4" }, NONE, ANY, 9, 4 },
    { { "data: null loads, and faults when used", P0, 0,
        "31c08ec0268b03" }, 13, 0, 4, ANY },
    { { "data: LDS loads both or nothing", P0, 0,
        "c7033412000066c743045000c503" }, 11, 0x50, 12, 0 },
    { { "data: LES", P0, 0,
        "c7033412000066c743041000c403f4" }, NONE, ANY, 14, 0x1234 },
    { { "stack: null", P0, 0,
        "31c08ed0" }, 13, 0, 2, ANY },
    { { "stack: wrong RPL", P0, 0,
        "b8230000008ed0" }, 13, 0x20, 5, ANY },
    { { "stack: read-only", P0, 0,
        "b8580000008ed0" }, 13, 0x58, 5, ANY },
    { { "stack: not present", P0, 0,
        "b8500000008ed0" }, 12, 0x50, 5, ANY },
    { { "stack: POP of a bad SS leaves ESP", P0, 0,
        "6a5089e017" }, 12, 0x50, 4, 0x1fffc },
    { { "table: LTR of a busy TSS", P0, 0,
        "b8880000000f00d8" }, 13, 0x88, 5, ANY },
    { { "table: LTR of null", P0, 0,
        "31c00f00d8" }, 13, 0, 2, ANY },
    { { "table: LLDT of a code segment", P0, 0,
        "b8080000000f00d0" }, 13, 8, 5, ANY },
    { { "table: LAR of code", P0, 0,
        "b9080000000f02c1f4" }, NONE, ANY, 8, 0xcf9b00 },
    { { "table: LAR of an interrupt gate is refused", P0, 0,
        "b9f8000000b8070000000f02c1f4" }, NONE, ANY, 13, 7 },
    { { "table: LSL scales by G", P0, 0,
        "b9100000000f03c1f4" }, NONE, ANY, 8, 0xffffffff },
    { { "table: VERW of read-only", P0, 0,
        "b9580000000f00e90f94c0f4" }, NONE, ANY, 11, 0 },
    { { "table: VERR of conforming code", P0, 0,
        "b9480000000f00e10f94c0f4" }, NONE, ANY, 11, 1 },
    { { "table: ARPL raises RPL", P0, 0,
        "b810000000b90300000063c8f4" }, NONE, ANY, 12, 0x13 },
    { { "far: jump", P0, 0,
        "ea104000000800000000000000000000b805000000f4" }, NONE, ANY, 21, 5 },
    { { "far: jump to data", P0, 0,
        "ea104000001000" }, 13, 0x10, 0, ANY },
    { { "far: jump to null", P0, 0,
        "ea104000000000" }, 13, 0, 0, ANY },
    { { "far: jump to absent code", P0, 0,
        "ea104000009800" }, 11, 0x98, 0, ANY },
    { { "far: jump to ring 3", P0, 0,
        "ea104000001b00" }, 13, 0x18, 0, ANY },
    { { "far: jump beyond the limit", P0, 0,
        "ea000001003800" }, 13, 0, 0, ANY },
    { { "far: jump to conforming code", P0, 0,
        "ea1040000048000000000000000000008cc8f4" }, NONE, ANY, 18, 0x48 },
    { { "far: call and return", P0, 0,
        "9a104000000800f40000000000000000b806000000cb" }, NONE, ANY, 7, 6 },
    { { "far: call gate, same ring", P0, 0,
        "9a000000006800f4" }, 0x40, ANY, 7, ANY },
    { { "far: call gate not present", P0, 0,
        "9a00000000a000" }, 11, 0xa0, 0, ANY },
    { { "far: call gate to data", P0, 0,
        "9a00000000c800" }, 13, 0x10, 0, ANY },
    { { "far: 16-bit call gate pushes words", P0, 0,
        "89e59a00000000a800" }, 0x40, ANY, ANY, ANY },
    { { "far: RET to null", P0, 0,
        "6a006800400000cb" }, 13, 0, 7, ANY },
    { { "far: RET inward", P3, 0,
        "6a086800400000cb" }, 13, 8, 7, ANY },
    { { "far: RET to ring 3 pops ESP and SS", P0, 0,
        "6a2368f0ff02006a1b6820400000cb000000000000000000000000000000000089e0cd30" },
      0x30, ANY, 36, 0x2fff0 },
    { { "far: RET n adjusts both stacks", P0, 0,
        "6a2368f0ff02006a006a1b6820400000ca04000000000000000000000000000089e0cd30" },
      0x30, ANY, 36, 0x2fff4 },
    { { "far: RET outward drops inner data segments", P0, 0,
        "6a2368f0ff02006a1b6820400000cb00000000000000000000000000000000008cd8cd30" },
      0x30, ANY, 36, 0 },
    { { "far: RET outward with a bad SS", P0, 0,
        "6a1068f0ff02006a1b6820400000cb" }, 13, 0x10, 14, ANY },
    { { "user: call gate to ring 0", P3, 0,
        "9a000000006800f4" }, 0x40, ANY, 7, ANY },
    { { "user: call gate copies parameters", P3, 0,
        "6a116a229a00000000b000f4" }, 0x40, ANY, 11, ANY },
    { { "user: call gate of ring 0", P3, 0,
        "9a000000007000" }, 13, 0x70, 0, ANY },
    { { "user: jump through a gate cannot raise privilege", P3, 0,
        "ea000000006800" }, 13, 8, 0, ANY },
    { { "user: jump to ring 0 code", P3, 0,
        "ea104000000800" }, 13, 8, 0, ANY },
    { { "user: ring 0 data", P3, 0,
        "b8100000008ed8" }, 13, 0x10, 5, ANY },
    { { "user: conforming code keeps CPL 3", P3, 0,
        "ea1040000048000000000000000000008cc8cd30" }, 0x30, ANY, 20, 0x4b },
    { { "user: HLT", P3, 0,
        "f4" }, 13, 0, 0, ANY },
    { { "user: CLI", P3, 0,
        "fa" }, 13, 0, 0, ANY },
    { { "user: CLI under PVI", P3, SET_PVI,
        "facd30" }, 0x30, ANY, 3, ANY },
    { { "user: STI under PVI with VIP", P3, SET_PVI | SET_VIP,
        "fb" }, 13, 0, 0, ANY },
    { { "user: MOV CR0", P3, 0,
        "0f20c0" }, 13, 0, 0, ANY },
    { { "user: MOV DR7", P3, 0,
        "0f21f8" }, 13, 0, 0, ANY },
    { { "user: LGDT", P3, 0,
        "0f0113" }, 13, 0, 0, ANY },
    { { "user: SGDT", P3, 0,
        "0f01030fb703cd30" }, 0x30, ANY, 8, 0x10f },
    { { "user: SGDT under UMIP", P3, SET_UMIP,
        "0f0103" }, 13, 0, 0, ANY },
    { { "user: SMSW under UMIP", P3, SET_UMIP,
        "0f01e0" }, 13, 0, 0, ANY },
    { { "user: RDMSR", P3, 0,
        "0f32" }, 13, 0, 0, ANY },
    { { "user: INVLPG", P3, 0,
        "0f013b" }, 13, 0, 0, ANY },
    { { "user: CLTS", P3, 0,
        "0f06" }, 13, 0, 0, ANY },
    { { "user: a port the bitmap denies", P3, 0,
        "ec" }, 13, 0, 0, ANY },
    { { "user: a port the bitmap allows", P3, 0,
        "ba10000000eccd30" }, 0x30, ANY, 8, 0x5a },
    { { "user: a wide port, partly denied", P3, 0,
        "ba16000000ed" }, 13, 0, 5, ANY },
    { { "user: a port beyond the bitmap", P3, 0,
        "ba00100000ec" }, 13, 0, 5, ANY },
    { { "user: RDTSC under TSD", P3, SET_TSD,
        "0f31" }, 13, 0, 0, ANY },
    { { "user: INT of a ring 0 gate", P3, 0,
        "cd20" }, 13, 0x102, 0, ANY },
    { { "user: INT3 of a ring 3 gate", P3, 0,
        "cc" }, 3, ANY, 1, ANY },
    { { "user: INTO", P3, 0,
        "b8ffffff7f40ce" }, 4, ANY, 7, ANY },
    { { "user: SYSENTER without an entry", P3, 0,
        "0f34" }, 13, 0, 0, ANY },
    { { "user: IRET inward", P3, 0,
        "9c6a086800400000cf" }, 13, 8, 8, ANY },
    { { "user: IRET cannot change IF or IOPL", P3, 0,
        "68023200006a1b6820400000cf000000000000000000000000000000000000009c58cd30" },
      0x30, ANY, 36, 2 },
    { { "idt: not present", P0, 0,
        "cd82" }, 11, 0x412, 0, ANY },
    { { "idt: no gate", P0, 0,
        "cd81" }, 13, 0x40a, 0, ANY },
    { { "idt: beyond the limit", P0, 0,
        "cd90" }, 13, 0x482, 0, ANY },
    { { "idt: trap gate keeps IF", P0, 0,
        "fbcd31" }, 0x31, ANY, 3, ANY },
    { { "idt: handler selector null", P0, 0,
        "cd84" }, 13, 0, 0, ANY },
    { { "idt: handler selector is data", P0, 0,
        "cd85" }, 13, 0x10, 0, ANY },
    { { "idt: handler code absent", P0, 0,
        "cd86" }, 11, 0x98, 0, ANY },
    { { "idt: task gate", P0, 0,
        "cd83" }, 0x41, ANY, ANY, ANY },
    { { "double: #GP without a handler", P0, SET_NO_GP,
        "b8d00100008ed8" }, 8, 0, 5, ANY },
    { { "double: and #DF without one", P0, SET_NO_GP | SET_NO_DF,
        "b8d00100008ed8" }, TRIPLE, ANY, ANY, ANY },
    { { "double: #UD then #NP is serial", P0, SET_NO_UD,
        "0f0b" }, 11, 0x33, 0, ANY },
    { { "iret: to ring 3", P0, 0,
        "6a2368f0ff02006a026a1b6820400000cf00000000000000000000000000000089e0cd30" },
      0x30, ANY, 36, 0x2fff0 },
    { { "iret: to null", P0, 0,
        "6a026a006800400000cf" }, 13, 0, 9, ANY },
    { { "iret: to data", P0, 0,
        "6a026a106800400000cf" }, 13, 0x10, 9, ANY },
    { { "iret: ring 3 with a null SS", P0, 0,
        "6a0068f0ff02006a026a1b6820400000cf" }, 13, 0, 16, ANY },
    { { "iret: to V86", P0, 0,
        "6a006a006a006a0068000100006880000000680200020068"
        "000400006a30cf0000000000000000000000000000000000f4" },
      13, 0, 48, ANY },
    { { "iret: NT returns to the linked task", P0, SET_LINK,
        "9c810c24004000009dcf" }, 0x41, ANY, ANY, ANY },
    { { "iret: NT with a link that is not busy", P0, SET_LINK_IDLE,
        "9c810c24004000009dcf" }, 10, 0x78, 9, ANY },
    { { "task: jump", P0, 0,
        "ea000000007800" }, 0x41, ANY, ANY, ANY },
    { { "task: call", P0, 0,
        "9a000000007800" }, 0x41, ANY, ANY, ANY },
    { { "task: through a gate", P0, 0,
        "ea000000008000" }, 0x41, ANY, ANY, ANY },
    { { "task: a busy one", P0, 0,
        "ea000000008800" }, 13, 0x88, 0, ANY },
    { { "task: too short", P0, 0,
        "ea00000000c000" }, 10, 0xc0, 0, ANY },
    { { "task: a 16-bit one", P0, 0,
        "ea000000009000" }, 0x41, ANY, ANY, ANY },
    { { "task: a bad segment is its own fault", P0, SET_BAD_TASK_DS,
        "ea000000007800" }, 11, 0x50, ANY, ANY },
    { { "control: PG without PE", P0, 0,
        "b8100000800f22c0" }, 13, 0, 5, ANY },
    { { "control: NW without CD", P0, 0,
        "b8110000200f22c0" }, 13, 0, 5, ANY },
    { { "control: reserved CR4", P0, 0,
        "b8000000400f22e0" }, 13, 0, 5, ANY },
    { { "control: PDPTE with reserved bits", P0, 0,
        "b8200000000f22e0c70307000000c74304000000000f22dbb8110000800f22c0" }, 13, 0, 29, ANY },
    { { "control: CR1", P0, 0,
        "0f20c8" }, 6, ANY, 0, ANY },
    { { "control: DR4 aliases DR6", P0, 0,
        "0f21e0f4" }, NONE, ANY, 3, 0xffff0ff0 },
    { { "control: DR4 under DE", P0, SET_DE,
        "0f21e0" }, 6, ANY, 0, ANY },
    { { "control: GD", P0, 0,
        "b8002000000f23f80f21c0" }, 1, ANY, 8, ANY },
    { { "control: LMSW cannot clear PE", P0, 0,
        "31c00f01f00f20c0f4" }, NONE, ANY, 8, 0x11 },
    { { "control: CLTS", P0, 0,
        "b8190000000f22c00f060f20c0f4" }, NONE, ANY, 13, 0x11 },
    { { "control: SMSW", P0, 0,
        "0f01e0f4" }, NONE, ANY, 3, 0x11 },
    { { "control: STR", P0, 0,
        "0f00c8f4" }, NONE, ANY, 3, 0x28 },
    { { "control: EFER reserved bits", P0, 0,
        "b9800000c0b80200000031d20f30" }, 13, 0, 12, ANY },
    { { "control: PAT reserved type", P0, 0,
        "b977020000b80200000031d20f30" }, 13, 0, 12, ANY },
    { { "control: RDPMC", P0, 0,
        "0f33" }, 13, 0, 0, ANY },
    { { "control: MWAIT", P0, 0,
        "0f01c9" }, 6, ANY, 0, ANY },
    { { "control: SYSCALL outside 64-bit mode", P0, 0,
        "0f05" }, 6, ANY, 0, ANY },
    { { "control: single step", P0, 0,
        "9c810c24000100009d90" }, 1, ANY, 10, ANY },
    { { "real: INT", R, 0,
        "cd21" }, 0x21, ANY, 2, ANY },
    { { "real: LLDT", R, 0,
        "0f00d0" }, 6, ANY, 0, ANY },
    { { "real: ARPL", R, 0,
        "63c0" }, 6, ANY, 0, ANY },
    { { "real: a word across the limit", R, 0,
        "bbffff8b07" }, 13, ANY, 3, ANY },
    { { "real: a stack word across the limit", R, 0,
        "bc010050" }, TRIPLE, ANY, ANY, ANY },
    { { "real: segment base is 16 times the selector", R, 0,
        "b800088ed8c7060000770031c08ed8a10080f4" }, NONE, ANY, 18, 0x77 },
    { { "real: far jump", R, 0,
        "ea20000004000000000000000000000000000000000000000000000000000000b80900f4" },
      NONE, ANY, 35, 9 },
    { { "real: far call and return", R, 0,
        "9a20000004f40000000000000000000000000000000000000000000000000000b80800cb" },
      NONE, ANY, 5, 8 },
    { { "real: IRET", R, 0,
        "9c6800046a20cf00000000000000000000000000000000000000000000000000b80700f4" },
      NONE, ANY, 35, 7 },
    { { "real: into protected mode", R, 0,
        "b811000f22c066ea204000000800000000000000000000000000000000000000b8100000008ed08cc8f4" },
      NONE, ANY, 41, 8 },
    { { "real: unreal", R, 0,
        "b0110f22c0b910008ed9b0100f22c031c98ed966be0080010067c7065500678a06f4" },
      NONE, ANY, 33, 0x55 },
    { { "v86: CLI under IOPL 0", V, 0,
        "fa" }, 13, 0, 0, ANY },
    { { "v86: INT under IOPL 0", V, 0,
        "cd30" }, 13, 0, 0, ANY },
    { { "v86: HLT", V, SET_IOPL3,
        "f4" }, 13, 0, 0, ANY },
    { { "v86: INT under IOPL 3 goes to the IDT", V, SET_IOPL3,
        "cd30" }, 0x30, ANY, 2, ANY },
    { { "v86: LLDT", V, SET_IOPL3,
        "0f00d0" }, 6, ANY, 0, ANY },
    { { "v86: far jump", V, SET_IOPL3,
        "ea200000040000000000000000000000000000000000000000000000000000008cc8cd30" },
      0x30, ANY, 36, 0x400 },
    { { "v86: CLI under VME", V, SET_VME | SET_VIF,
        "facc" }, 3, ANY, 2, ANY },
    { { "v86: MOV CR0", V, SET_IOPL3,
        "0f20c0" }, 13, 0, 0, ANY },
    { { "v86: a denied port, even under IOPL 3", V, SET_IOPL3,
        "ec" }, 13, 0, 0, ANY },
    { { "v86: IRET under IOPL 0", V, 0,
        "cf" }, 13, 0, 0, ANY },
    { { "long: INT aligns the stack and pushes SS:RSP", L0, 0,
        "cd30" }, 0x30, ANY, 2, ANY },
    { { "long: an IST", L0, 0,
        "cd87" }, 0x87, ANY, 2, ANY },
    { { "long: null SS is fine in ring 0", L0, 0,
        "31c08ed0f4" }, NONE, ANY, 4, ANY },
    { { "long: LGDT of a base that is not canonical", L0, 0,
        "66c703ff0048b80000000000800000488943020f0113" }, 13, 0, 19, ANY },
    { { "long: LSTAR not canonical", L0, 0,
        "b9820000c0ba008000000f30" }, 13, 0, 10, ANY },
    { { "long: PG cannot be cleared", L0, 0,
        "0f20c0480fbaf01f0f22c0" }, 13, 0, 8, ANY },
    { { "long: PAE cannot be cleared", L0, 0,
        "0f20e0480fbaf0050f22e0" }, 13, 0, 8, ANY },
    { { "long: LME cannot be cleared", L0, 0,
        "b9800000c031c031d20f30" }, 13, 0, 9, ANY },
    { { "long: CR8", L0, 0,
        "b805000000440f22c031c0440f20c0f4" }, NONE, ANY, 15, 5 },
    { { "long: CR8 above 15", L0, 0,
        "b810000000440f22c0" }, 13, 0, 5, ANY },
    { { "long: CR0 above 32 bits", L0, 0,
        "48b811000080010000000f22c0" }, 13, 0, 10, ANY },
    { { "long: IRETQ to ring 3", L0, 0,
        "6a2368f0ff02006a0268f3000000682040000048cf00000000000000000000004889e0cd30" },
      0x30, ANY, 37, 0x2fff0 },
    { { "long: IRETQ to an address that is not canonical", L0, 0,
        "4889e16a10516a0268e800000048b800000000008000005048cf" }, 13, 0, 24, ANY },
    { { "long: IRET with NT", L0, 0,
        "9c810c24004000009d48cf" }, 13, 0, 9, ANY },
    { { "long: far jump to 32-bit code", L0, 0,
        "c7032040000066c743040800ff2b0000000000000000000000000000000000008cc8f4" },
      NONE, ANY, 34, 8 },
    { { "long: far jump to L and D", L0, 0,
        "c7032040000066c743040001ff2b" }, 13, 0x100, 12, ANY },
    { { "long: far jump to a TSS", L0, 0,
        "c7032040000066c743047800ff2b" }, 13, 0x78, 12, ANY },
    { { "long: far return", L0, 0,
        "68e8000000682040000048cb0000000000000000000000000000000000000000b804000000f4" },
      NONE, ANY, 37, 4 },
    { { "long: SWAPGS", L0, 0,
        "b9020100c0b800c0000031d20f300f01f865c7042500000000660000008b03f4" }, NONE, ANY, 31, 0x66 },
    { { "long: FSGSBASE off", L0, 0,
        "f3480faec0" }, 6, ANY, 0, ANY },
    { { "long: FSGSBASE", L0, SET_FSGS,
        "b800800000f3480faed031c0f3480faec0f4" }, NONE, ANY, 17, 0x8000 },
    { { "long: SYSCALL without SCE", L0, 0,
        "0f05" }, 6, ANY, 0, ANY },
    { { "long: SYSCALL", L3, SET_SYSCALL,
        "0f05" }, 0x42, ANY, ANY, ANY },
    { { "long: SYSRET", L0, SET_SYSCALL,
        "b92040000041bb02000000480f070000000000000000000000000000000000008cc8cd30" },
      0x30, ANY, 36, 0xf3 },
    { { "long: SYSENTER and SYSEXIT", L3, SET_SYSENTER,
        "0f34" }, 0x42, ANY, ANY, ANY },
    { { "long: user INT of a ring 0 gate", L3, 0,
        "cd20" }, 13, 0x102, 0, ANY },
    { { "long: user HLT", L3, 0,
        "f4" }, 13, 0, 0, ANY },
    { { "long: user SWAPGS", L3, 0,
        "0f01f8" }, 13, 0, 0, ANY },
    { { "long: a stack that is not canonical", L0, 0,
        "48bc000000000080000050" }, TRIPLE, ANY, ANY, ANY },
    { { "compat: INT to 64-bit code", C3, 0,
        "cd30" }, 0x30, ANY, 2, ANY },
    { { "compat: SYSCALL is Intel's", C3, SET_SYSCALL,
        "0f05" }, 6, ANY, 0, ANY },
    /* What tests/judge found on a processor: each was wrong once. */
    { { "judged: POPCNT", P0, 0,
        "f30fb8c3f4" }, NONE, ANY, 4, 2 },
    { { "judged: SIB without a base, under REX.B, with 32-bit addresses", L0, 0,
        "c7033412000041bd0010000067418b042500c00000f4" }, NONE, ANY, 21, 0x1234 },
    { { "judged: a REX before another prefix is none", L0, 0,
        "482e8cd0f4" }, NONE, ANY, 4, 0x10 },
    { { "judged: Jcc beyond the limit faults where it is", R, 0,
        "31c0660f8400000100" }, 13, ANY, 2, ANY },
    { { "judged: LOOP too", R, 0,
        "b9020066e2f0" }, 13, ANY, 3, ANY },
    { { "judged: and is no fault if not taken", R, 0,
        "b9010066e2f0f4" }, NONE, ANY, 6, ANY },
    { { "judged: ENTER gives EBP all of ESP", R, 0,
        "66bc00f0010066c80000006689e8f4" }, NONE, ANY, 14, 0x1effc },
    { { "judged: a 32-bit PUSH of Sreg writes 16 bits", R, 0,
        "bc0200661e89e0f4" }, NONE, ANY, 7, 0xfffe },
    { { "judged: a 32-bit POP of Sreg reads 16 bits", R, 0,
        "bcfeff661f89e0f4" }, NONE, ANY, 7, 2 },
    { { "judged: REP OUTS of nothing asks for the port", P3, 0,
        "31c9f36e" }, 13, 0, 2, ANY },
    { { "judged: far JMP to compatibility mode looks at 32 bits of RIP", L0, 0,
        "48b820400000010000004889036""6c743080800""48ff2b""90909090909090909090""b805000000f4" },
      NONE, ANY, 37, 5 },
};

/* Has the engine been told to exit for everything, and was x such an exit?  It is answered as the
 * monitor does (vm/exits.c). */
static bool exits_for_all;

static bool answered(struct vmexit *x)
{
    if (!exits_for_all)
        return false;
    switch (x->reason) {
    case EXIT_EXCEPTION: {
        gla_t cr2 = x->fault.gla;
        exit_reflect(x, x->fault.vector, x->fault.has_error, x->fault.error);
        x->reflect.cr2 = cr2;
        cpu.ops->conclude(&cpu, x, REFLECT);
        return true;
    }
    case EXIT_RDTSC:
        x->msr.value = cpu.tsc_base + cpu.icount + 1;
        break;
    case EXIT_CR_ACCESS: case EXIT_DR_ACCESS: case EXIT_INVLPG: case EXIT_RDMSR: case EXIT_WRMSR:
    case EXIT_WBINVD:
        break;
    default:
        return false;
    }
    cpu.ops->conclude(&cpu, x, RETIRE);
    return true;
}

/* Run to the HLT of a handler or of the code; false: triple fault. */
static bool run(const struct program *r)
{
    struct vmexit x;

    for (unsigned n = 0; n < 100; n++) {
        cpu.ops->run(&cpu, 100, &x);
        if (x.reason == EXIT_HLT)
            return true;
        if (x.reason == EXIT_TRIPLE_FAULT)
            return false;
        if (answered(&x))
            continue;
        if (x.reason != EXIT_IO)
            fail_msg("%s: exit 0x%x at 0x%lx", r->name, x.reason, (unsigned long)x.rip);
        x.io.value = 0x5a;
        cpu.ops->conclude(&cpu, &x, RETIRE);
    }
    fail_msg("%s: does not end", r->name);
    return false;
}

/* What lies on the handler's stack. */
struct frame { uint64_t error, ip, cs, flags; };

static struct frame read_frame(const struct cpu_state *c, const struct row *r)
{
    unsigned size = r->p.mode == R ? 2 : is_long(r->p.mode) ? 8 : 4;
    uint32_t sp = (uint32_t)(c->gpr[RSP] + (r->p.mode == R ? c->seg[SEG_SS].base : 0));
    struct frame f = { 0 };

    if (r->error != ANY) {
        f.error = get(sp, size);
        sp += size;
    }
    f.ip = get(sp, size);
    f.cs = get(sp + size, size);
    f.flags = get(sp + 2 * size, size);
    if (r->p.mode != R && !(f.flags & FLAG_VM))
        f.ip -= CODE;
    return f;
}

static bool expect(const struct row *r, const char *what, int64_t wanted, int64_t got)
{
    if (wanted == ANY || wanted == got)
        return true;
    print_error("%s: %s is 0x%lx, not 0x%lx\n", r->p.name, what, (unsigned long)got,
                (unsigned long)wanted);
    return false;
}

/* No handler was entered: the code ran to an HLT of its own. */
static bool check_end(const struct row *r, const struct cpu_state *c, int64_t end)
{
    return expect(r, "vector", r->vector, NONE) && expect(r, "end", r->ip, end) &&
           expect(r, "rax", r->rax, (int64_t)c->gpr[RAX]);
}

static bool check(const struct row *r)
{
    struct cpu_state c;
    struct frame f;
    int64_t at;

    struct controls ctl = { 0 };

    make_memory(&r->p);
    set_cpu(&r->p);
    exit_on_apply(exits_for_all ? EXIT_ON_ALL : 0, &ctl);
    cpu.ops->set_controls(&cpu, &ctl);
    if (!run(&r->p))
        return expect(r, "outcome", r->vector, TRIPLE);
    cpu.ops->get_state(&cpu, ST_ALL, &c);
    at = (int64_t)(c.rip + (r->p.mode == R ? c.seg[SEG_CS].base : 0));
    if (at < HANDLERS || at >= TABLES)
        return check_end(r, &c, at - CODE);
    if (!expect(r, "vector", r->vector, (at - HANDLERS) / 16))
        return false;
    if (r->vector >= 0x40 && r->vector <= 0x42)         /* entered by other ways: no such frame */
        return true;
    f = read_frame(&c, r);
    return expect(r, "error code", r->error, (int64_t)f.error) &&
           expect(r, "saved ip", r->ip, (int64_t)f.ip) &&
           expect(r, "rax", r->rax, (int64_t)c.gpr[RAX]);
}

static void test_rows(void **state)
{
    unsigned bad = 0;

    (void)state;
    for (size_t i = 0; i < NELEM(rows); i++)
        bad += !check(&rows[i]);
    assert_int_equal(bad, 0);
}

static const struct row *row_named(const char *name)
{
    for (size_t i = 0; i < NELEM(rows); i++)
        if (!strcmp(rows[i].p.name, name))
            return &rows[i];
    fail_msg("no row %s", name);
    return NULL;
}

/* A triple fault leaves its chain behind; a delivery that succeeds ends the chain, and one that
 * does not is what the next begins with. */
static void test_undelivered(void **state)
{
    const struct delivery_chain *c = cpu.undelivered;

    (void)state;
    assert_true(check(row_named("double: and #DF without one")));
    assert_int_equal(c->n, 2);
    assert_int_equal(c->step[0].vector, VEC_GP);
    assert_int_equal(c->step[0].type, EVENT_EXCEPTION);
    assert_int_equal(c->step[0].rip, CODE + 5);
    assert_int_equal(c->step[0].error, 0x1d0);
    assert_int_equal(c->step[0].obstacle, OBSTACLE_GATE_ABSENT);
    assert_int_equal(c->step[0].second_vector, VEC_NP);
    assert_int_equal(c->step[1].vector, VEC_DF);
    assert_int_equal(c->step[1].obstacle, OBSTACLE_GATE_ABSENT);

    assert_true(check(row_named("double: #UD then #NP is serial")));
    assert_int_equal(c->n, 0);
    assert_int_equal(c->step[0].vector, VEC_UD);

    assert_true(check(row_named("idt: handler selector is data")));
    assert_int_equal(c->n, 0);
    assert_int_equal(c->step[0].type, EVENT_SOFTWARE);
    assert_int_equal(c->step[0].vector, 0x85);
    assert_int_equal(c->step[0].rip, CODE);
    assert_int_equal(c->step[0].obstacle, OBSTACLE_CODE_TYPE);
    assert_int_equal(c->step[0].at, 0x10);
}

/* Every register and every byte of memory is the same if all that can exit does, and so is what
 * the engine remembers of deliveries that failed. */
static void test_rows_exiting(void **state)
{
    static uint8_t before[RAM];
    struct cpu_state a, b;
    char text[2000];
    unsigned bad = 0;

    (void)state;
    for (size_t i = 0; i < NELEM(rows); i++) {
        uint64_t begin = cpu.icount;
        bad += !check(&rows[i]);
        cpu.ops->get_state(&cpu, ST_ALL, &a);
        memcpy(before, ram, sizeof before);
        struct delivery_chain chain = *cpu.undelivered;
        uint64_t middle = cpu.icount;
        exits_for_all = true;
        bad += !check(&rows[i]);
        exits_for_all = false;
        cpu.ops->get_state(&cpu, ST_ALL, &b);
        if (cpu_state_diff(&a, &b, ST_ALL, text, sizeof text)) {
            print_error("%s: exiting changes\n%s\n", rows[i].p.name, text);
            bad++;
        }
        if (memcmp(before, ram, sizeof before)) {
            print_error("%s: exiting changes memory\n", rows[i].p.name);
            bad++;
        }
        if (memcmp(&chain, cpu.undelivered, sizeof chain)) {
            print_error("%s: exiting changes the account of deliveries\n", rows[i].p.name);
            bad++;
        }
        bad += !expect(&rows[i], "instructions", (int64_t)(middle - begin),
                       (int64_t)(cpu.icount - middle));
    }
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_undelivered),
        cmocka_unit_test(test_rows_exiting),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
