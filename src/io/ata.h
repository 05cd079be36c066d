/*
 * io/ata.h -- one channel of ATA ("IDE"): a cable with at most two drives.
 *
 * A PC/AT has two of them: 1F0h to 1F7h and 3F6h with IRQ 14, and 170h to 177h and 376h with IRQ
 * 15.  Which file of ours a register or a command is in: ata.c has the registers, the interrupt
 * and the passage of words; ata_command.c what the commands mean; disk.c the sectors.
 *
 * The slot's disks (io/slot.h) are what the drives are made of: [0] is device 0, called the
 * master, [1] device 1.  At least one must be there.  Without a clock in the slot a command never
 * ends.
 *
 * Words pass by the CPU (PIO): there is no DMA.  [ATA/ATAPI-6 (T13/1410D)]
 */
#ifndef IO_ATA_H
#define IO_ATA_H

#include "io/device.h"

/* Offsets: 0 to 7 are the command block, 8 is the control block's one register. */
enum ata_register {
    ATA_DATA,                   /* 16 bits; 32 are two words                             */
    ATA_ERROR,                  /* written: FEATURES                                     */
    ATA_COUNT,
    ATA_LBA_LOW,                /* or the sector in its track, from 1                    */
    ATA_LBA_MID,                /* or the cylinder's low half                            */
    ATA_LBA_HIGH,               /* or its high half                                      */
    ATA_DEVICE,
    ATA_STATUS,                 /* written: COMMAND                                      */
    ATA_ALT_STATUS,             /* written: DEVICE CONTROL                               */
    ATA_FEATURES = ATA_ERROR, ATA_COMMAND = ATA_STATUS, ATA_CONTROL = ATA_ALT_STATUS
};

/*   7    6    5    4    3    2    1    0
 *  BSY  DRDY  DF  DSC  DRQ   .    .   ERR    STATUS   busy, ready, fault, seek done, data, error
 *   .   UNC   .   IDNF  .   ABRT  .    .     ERROR    uncorrectable, no such sector, no such thing
 *   1   LBA   1   DEV  27:24 or head         DEVICE
 *  HOB   .    .    .    .   SRST nIEN  .     CONTROL  read the older halves; reset; no interrupt */
#define ATA_BSY   BIT(7)
#define ATA_DRDY  BIT(6)
#define ATA_DF    BIT(5)
#define ATA_DSC   BIT(4)
#define ATA_DRQ   BIT(3)
#define ATA_ERR   BIT(0)

#define ATA_UNC   BIT(6)
#define ATA_IDNF  BIT(4)
#define ATA_ABRT  BIT(2)

#define ATA_LBA   BIT(6)
#define ATA_DEV   BIT(4)

#define ATA_HOB   BIT(7)
#define ATA_SRST  BIT(2)
#define ATA_NIEN  BIT(1)

extern const struct device_ops ata_ops;

/* What a command is called: "READ SECTORS"; NULL: the drive has no such command. */
const char *ata_command_name(uint8_t opcode);

#endif
