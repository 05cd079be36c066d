/*
 * The CPUID table: shape of the answers, not their taste.
 */
#include "cpu/cpuid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "base/abi.h"
#include "base/x86.h"

static void vendor_and_ranges(void **state)
{
    (void)state;
    uint32_t r[4], high[4];

    cpuid_answer(0, 0, false, 0, r);
    char vendor[12];
    memcpy(vendor, &r[1], 4);
    memcpy(vendor + 4, &r[3], 4);
    memcpy(vendor + 8, &r[2], 4);
    assert_memory_equal(vendor, "GenuineIntel", 12);

    /* Leaves beyond each range answer as the highest basic one. */
    static const uint32_t beyond[] = { 0x17, 0x3fffffff, 0x40000002, 0x7fffffff,
                                       0x80000009, 0xffffffff };
    cpuid_answer(r[0], 0, false, 0, high);
    for (size_t i = 0; i < NELEM(beyond); i++) {
        cpuid_answer(beyond[i], 0, true, ~UINT64_C(0), r);
        assert_memory_equal(r, high, sizeof(r));
    }
    /* In range but unknown: zeros; a subleaf that does not exist: zeros. */
    static const uint32_t zeros[4];
    cpuid_answer(0x0b, 0, true, 0, r);
    assert_memory_equal(r, zeros, sizeof(r));
    cpuid_answer(7, 1, true, 0, r);
    assert_memory_equal(r, zeros, sizeof(r));
}

static void hypervisor_leaves(void **state)
{
    (void)state;
    uint32_t r[4];

    cpuid_answer(CPUID_HV_BASE, 0, false, 0, r);
    assert_int_equal(r[0], CPUID_HV_FEATURES);
    assert_memory_equal(&r[1], HV_SIGNATURE, 12);
    cpuid_answer(CPUID_HV_FEATURES, 0, false, 0, r);
    assert_false(r[0] & HV_VMCALL_WORKS);
    cpuid_answer(CPUID_HV_FEATURES, 0, true, 0, r);
    assert_true(r[0] & HV_VMCALL_WORKS);
}

static void brand_is_text(void **state)
{
    (void)state;
    char brand[49] = "";
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t r[4];
        cpuid_answer(0x80000002 + i, 0, false, 0, r);
        memcpy(brand + 16 * i, r, 16);
    }
    assert_string_equal(brand, "Vitrine virtual CPU @ 1.00GHz");
}

static void no_promises_we_cannot_keep(void **state)
{
    (void)state;
    uint32_t r[4];

    cpuid_answer(1, 0, true, CR4_OSXSAVE, r);
    assert_int_equal((r[0] >> 8) & 15, 6);
    assert_true(r[3] & BIT(0));             /* FPU */
    assert_false(r[3] & BIT(9));            /* APIC */
    assert_false(r[2] & (BIT(0) | BIT(9))); /* SSE3, SSSE3 */
    assert_false(r[2] & BIT(27));           /* OSXSAVE without XSAVE */
    assert_true(r[2] & BIT(31));            /* a hypervisor is present */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vendor_and_ranges),
        cmocka_unit_test(hypervisor_leaves),
        cmocka_unit_test(brand_is_text),
        cmocka_unit_test(no_promises_we_cannot_keep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
