/* The parser of the command line: long and short options anywhere, "--opt=value", joined short flags, "--".
 * It knows nothing but the table (cli/command.h). Parsing goes on behind a mistake, so that `-h` and `--json`
 * count wherever they stand; the first mistake is what is reported. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "base/err.h"
#include "cli/command.h"

#define ARGS_POSITIONALS_MAX 4096
#define GLOBALS_MAX 8

struct args {
    const struct command *command;    /* NULL: none was named */
    const char *values[OPTIONS_MAX];  /* parallel to command->options; "" for a flag, NULL when not given */
    const char *globals[GLOBALS_MAX]; /* parallel to global_options */
    const char **positionals;         /* borrowed from argv */
    size_t n_positionals;
};

/* Reads argv (which must outlive *a). Returns 0 or ERR_USAGE with *e filled; *a is usable in both cases and
 * is released with args_release(). */
int args_parse(struct args *a, int argc, char **argv, struct err *e) MUST_CHECK;
void args_release(struct args *a);

/* The value of an option of the command, or of a global one; NULL when it was not given. The name must be in
 * the table. */
const char *args_value(const struct args *a, const char *name);
bool args_flag(const struct args *a, const char *name);
long args_number(const struct args *a, const char *name, long otherwise);
/* The i-th argument, or NULL. */
const char *args_at(const struct args *a, size_t i);
/* Arguments from the i-th on, joined by spaces; the caller frees it. */
char *args_join(const struct args *a, size_t i);

/* The word of `words` (NULL-terminated) most like `word`, or NULL when none is near. */
const char *nearest_word(const char *word, const char *const *words);

#endif
