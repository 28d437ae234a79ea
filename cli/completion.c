/* Completion scripts for bash, zsh and fish, written from the table. */
#include "cli/help.h"

#include "node/config.h"
#include "node/observe/observe.h"

#include <string.h>

/* ---- words -----------------------------------------------------------------------------------------------
 */

static void put_choices(struct page *p, const char *choices)
{
    for (; *choices != '\0'; choices++) {
        page_printf(p, "%c", *choices == '|' ? ' ' : *choices);
    }
}

/* The words a value can be, separated by blanks; nothing when they are not known. */
static void put_words(struct page *p, enum value_type type, const char *choices)
{
    switch (type) {
    case VALUE_CHOICE:
        put_choices(p, choices);
        break;
    case VALUE_SOURCE:
        for (size_t i = 0; observers[i] != NULL; i++) {
            page_printf(p, "%s%s", i > 0 ? " " : "", observers[i]->name);
        }
        break;
    case VALUE_KEY:
        for (const struct setting *k = settings; k->key != NULL; k++) {
            page_printf(p, "%s%s", k > settings ? " " : "", k->key);
        }
        break;
    case VALUE_COMMAND:
        for (const struct command *c = commands; c->name != NULL; c++) {
            page_printf(p, "%s ", c->name);
        }
        for (const struct topic *t = topics; t->name != NULL; t++) {
            page_printf(p, "%s%s", t > topics ? " " : "", t->name);
        }
        break;
    case VALUE_FLAG:
    case VALUE_TEXT:
    case VALUE_NUMBER:
    case VALUE_FILE:
    case VALUE_FOLDER:
        break;
    }
}

static bool has_words(enum value_type type)
{
    return type == VALUE_CHOICE || type == VALUE_SOURCE || type == VALUE_KEY || type == VALUE_COMMAND;
}

static bool is_path(enum value_type type)
{
    return type == VALUE_FILE || type == VALUE_FOLDER;
}

/* ---- bash ------------------------------------------------------------------------------------------------
 */

static void bash_flags(struct page *p, const struct option_def *list)
{
    for (size_t i = 0; i < options_count(list); i++) {
        page_printf(p, " --%s", list[i].name);
        if (list[i].letter != 0) {
            page_printf(p, " -%c", list[i].letter);
        }
    }
}

/* What completes the value behind "--name". */
static void bash_value(struct page *p, const char *command, const struct option_def *o)
{
    if (o->type == VALUE_FLAG) {
        return;
    }
    page_printf(p, "    %s:--%s", command, o->name);
    if (o->letter != 0) {
        page_printf(p, "|%s:-%c", command, o->letter);
    }
    page_str(p, ") ");
    if (is_path(o->type)) {
        page_printf(p, "COMPREPLY=($(compgen -%c -- \"$cur\"))", o->type == VALUE_FILE ? 'f' : 'd');
    } else if (has_words(o->type)) {
        page_str(p, "COMPREPLY=($(compgen -W '");
        put_words(p, o->type, o->choices);
        page_str(p, "' -- \"$cur\"))");
    } else {
        page_str(p, "COMPREPLY=()");
    }
    page_str(p, "; return ;;\n");
}

/* What completes an argument that is no option. */
static void bash_argument(struct page *p, const struct command *c)
{
    page_printf(p, "    %s) words='", c->name);
    bool files = false;
    for (size_t i = 0; i < POSITIONALS_MAX && c->args[i].name != NULL; i++) {
        put_words(p, c->args[i].type, c->args[i].choices);
        files = files || is_path(c->args[i].type);
    }
    page_str(p, "'; flags='");
    bash_flags(p, c->options);
    page_printf(p, "'; files=%d ;;\n", files ? 1 : 0);
}

static void bash_script(struct page *p)
{
    page_str(p, "# bash completion for selfsame; printed by: selfsame completion bash\n"
                "_selfsame() {\n"
                "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= words= "
                "flags= files=0 i\n"
                "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
                "    case ${COMP_WORDS[i]} in\n"
                "      --home|--color) ((i++)) ;;\n"
                "      -*) ;;\n"
                "      *) command=${COMP_WORDS[i]}; break ;;\n"
                "    esac\n"
                "  done\n"
                "  case $command:$prev in\n");
    for (const struct command *c = commands; c->name != NULL; c++) {
        for (size_t i = 0; i < options_count(c->options); i++) {
            bash_value(p, c->name, &c->options[i]);
        }
    }
    for (size_t i = 0; i < options_count(global_options); i++) {
        bash_value(p, "*", &global_options[i]);
    }
    page_str(p, "  esac\n  case $command in\n    '') words='");
    for (const struct command *c = commands; c->name != NULL; c++) {
        page_printf(p, "%s ", c->name);
    }
    page_str(p, "' ;;\n");
    for (const struct command *c = commands; c->name != NULL; c++) {
        bash_argument(p, c);
    }
    page_str(p, "  esac\n  if [[ $cur == -* ]]; then\n    words=\"$flags");
    bash_flags(p, global_options);
    page_str(p, "\"\n    files=0\n  fi\n"
                "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                "  if ((files)); then COMPREPLY+=($(compgen -f -- \"$cur\")); fi\n"
                "}\n"
                "complete -o filenames -F _selfsame selfsame\n");
}

/* ---- zsh -------------------------------------------------------------------------------------------------
 */

/* Inside '...[...]': quotes, brackets and colons are special. */
static void zsh_text(struct page *p, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            page_str(p, "'\\''");
        } else if (strchr("[]:\\", *text) != NULL) {
            page_printf(p, "\\%c", *text);
        } else {
            page_printf(p, "%c", *text);
        }
    }
}

static void zsh_action(struct page *p, enum value_type type, const char *choices)
{
    if (type == VALUE_FILE) {
        page_str(p, "_files");
    } else if (type == VALUE_FOLDER) {
        page_str(p, "_files -/");
    } else if (has_words(type)) {
        page_str(p, "(");
        put_words(p, type, choices);
        page_str(p, ")");
    } else {
        page_str(p, " ");
    }
}

static void zsh_spec(struct page *p, const char *dash, const char *name, const struct option_def *o)
{
    page_printf(p, "        '%s%s%s[", dash, name, o->type != VALUE_FLAG && dash[1] != '\0' ? "=" : "");
    zsh_text(p, o->help);
    page_str(p, "]");
    if (o->type != VALUE_FLAG) {
        page_printf(p, ":%s:", o->value);
        zsh_action(p, o->type, o->choices);
    }
    page_str(p, "' \\\n");
}

static void zsh_options(struct page *p, const struct option_def *list)
{
    for (size_t i = 0; i < options_count(list); i++) {
        zsh_spec(p, "--", list[i].name, &list[i]);
        if (list[i].letter != 0) {
            char letter[2] = {list[i].letter, '\0'};
            zsh_spec(p, "-", letter, &list[i]);
        }
    }
}

static void zsh_command(struct page *p, const struct command *c)
{
    page_printf(p, "    %s)\n      _arguments -s \\\n", c->name);
    zsh_options(p, c->options);
    zsh_options(p, global_options);
    for (size_t i = 0; i < POSITIONALS_MAX && c->args[i].name != NULL; i++) {
        page_printf(p, "        '%s:%s:", c->args[i].rest ? "*" : ":", c->args[i].name);
        zsh_action(p, c->args[i].type, c->args[i].choices);
        page_str(p, "' \\\n");
    }
    page_str(p, "        && return ;;\n");
}

static void zsh_script(struct page *p)
{
    page_str(p, "#compdef selfsame\n# printed by: selfsame completion zsh\n"
                "local line state\n"
                "local -a commands=(\n");
    for (const struct command *c = commands; c->name != NULL; c++) {
        page_printf(p, "  '%s:", c->name);
        zsh_text(p, c->summary);
        page_str(p, "'\n");
    }
    page_str(p, ")\n_arguments -C \\\n");
    zsh_options(p, global_options);
    page_str(p, "        '1: :->command' \\\n        '*:: :->rest' && return\n"
                "case $state in\n"
                "command) _describe command commands ;;\n"
                "rest)\n  case $line[1] in\n");
    for (const struct command *c = commands; c->name != NULL; c++) {
        zsh_command(p, c);
    }
    page_str(p, "  esac ;;\nesac\n");
}

/* ---- fish ------------------------------------------------------------------------------------------------
 */

static void fish_text(struct page *p, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\') {
            page_str(p, "\\");
        }
        page_printf(p, "%c", *text);
    }
}

static void fish_option(struct page *p, const char *when, const struct option_def *o)
{
    page_printf(p, "complete -c selfsame %s -l %s", when, o->name);
    if (o->letter != 0) {
        page_printf(p, " -s %c", o->letter);
    }
    if (o->type != VALUE_FLAG) {
        page_str(p, is_path(o->type) ? " -rF" : " -x");
    }
    if (has_words(o->type)) {
        page_str(p, " -a '");
        put_words(p, o->type, o->choices);
        page_str(p, "'");
    }
    page_str(p, " -d '");
    fish_text(p, o->help);
    page_str(p, "'\n");
}

static void fish_command(struct page *p, const struct command *c)
{
    char when[80];
    (void)snprintf(when, sizeof(when), "-n '__fish_seen_subcommand_from %s'", c->name);
    page_printf(p, "complete -c selfsame -n __fish_use_subcommand -f -a %s -d '", c->name);
    fish_text(p, c->summary);
    page_str(p, "'\n");
    bool files = false;
    for (size_t i = 0; i < POSITIONALS_MAX && c->args[i].name != NULL; i++) {
        files = files || is_path(c->args[i].type);
        if (has_words(c->args[i].type)) {
            page_printf(p, "complete -c selfsame %s -a '", when);
            put_words(p, c->args[i].type, c->args[i].choices);
            page_str(p, "'\n");
        }
    }
    if (!files) {
        page_printf(p, "complete -c selfsame %s -f\n", when);
    }
    for (size_t i = 0; i < options_count(c->options); i++) {
        fish_option(p, when, &c->options[i]);
    }
}

static void fish_script(struct page *p)
{
    page_str(p, "# fish completion for selfsame; printed by: selfsame completion fish\n");
    for (size_t i = 0; i < options_count(global_options); i++) {
        fish_option(p, "", &global_options[i]);
    }
    for (const struct command *c = commands; c->name != NULL; c++) {
        fish_command(p, c);
    }
}

bool completion(struct page *p, const char *shell)
{
    if (strcmp(shell, "bash") == 0) {
        bash_script(p);
    } else if (strcmp(shell, "zsh") == 0) {
        zsh_script(p);
    } else if (strcmp(shell, "fish") == 0) {
        fish_script(p);
    } else {
        return false;
    }
    return true;
}
