/* touch: the guest should have printed */

/* The starter as it is: its shadow_fault() says SHADOW_FAILED and leaves *w as it was.  The
 * monitor ends the run, which must have an end and a trace as any other. */
