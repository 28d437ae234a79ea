/* Help, the manual page and shell completion: three more readers of the command table. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/command.h"
#include "cli/style.h"

/* Prints help of one command (NULL: of the whole program) on standard output; returns the exit status. */
int help_print(const struct style *st, const struct command *c);
void help_command(struct page *p, const struct command *c);
void help_program(struct page *p);

/* The manual page of "selfsame" or "selfsamed" as roff; false for another name. */
bool man_page(struct page *p, const char *program);

/* Completion for "bash", "zsh" or "fish"; false for another shell. */
bool completion(struct page *p, const char *shell);

#endif
