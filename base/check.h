/* Assertions about our own code: on in release builds too. Never for input from outside. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

/* Prints file, line and expression to stderr and aborts. */
_Noreturn void check_failed(const char *file, int line, const char *expr);

#define CHECK(expr) ((expr) ? (void)0 : check_failed(__FILE__, __LINE__, #expr))

#endif
