/*
 * assert: ASSERT, for errors of the programmer, in every build. What comes from outside (clients,
 * peers, DNS, files) is parsed and refused, never asserted.
 */
#ifndef CORE_BASE_ASSERT_H
#define CORE_BASE_ASSERT_H

/* Says where and what on standard error, and aborts. The only output core ever makes. */
_Noreturn void assert_fail(const char *condition, const char *file, int line);

#define ASSERT(condition) \
    (__builtin_expect(!!(condition), 1) ? (void)0 : assert_fail(#condition, __FILE__, __LINE__))

#endif
