/* Nodes in one process for tests of what several devices do to one another: opening, asking, importing, and
 * carrying ops by hand from one store to another. Everything fails the test when it does not work. */
#ifndef TESTS_NODE_HOUSEHOLD_H
#define TESTS_NODE_HOUSEHOLD_H

#include "node/node.h"
#include "tests/support/tmp.h"

#include <cjson/cJSON.h>

/* Makes a device called `name` in "<dir>/<name>" and opens it. */
struct node *household_add(const struct tmp_dir *dir, const char *name);
/* Opens "<dir>/<name>" again. */
struct node *household_open(const struct tmp_dir *dir, const char *name);
/* Both write claims under the first one's secret, as devices of one group do. Closes and opens b. */
void household_share_secret(const struct tmp_dir *dir, struct node *a, struct node **b, const char *b_name);
/* A request written with ' for "; the caller deletes the answer. */
cJSON *household_ask(struct node *n, const char *request);
/* The id of the proposition whose text holds this; false: there is none. */
bool household_find(struct node *n, const char *text, char id[64]);
/* A request "cmd" about that proposition; `rest` is appended to its arguments. */
void household_do(struct node *n, const char *cmd, const char *text, const char *rest);
/* Eight weeks of a shell used daily for git, vim and rg; returns how many records were added. */
uint64_t household_history(const struct tmp_dir *dir, struct node *n);
/* All ops that b lacks, from a. */
void household_carry(struct node *a, struct node *b);
uint64_t household_observations(struct node *n);

/* The model as lines that can be compared, sorted. */
struct household_model {
    char *v[512];
    size_t n;
};
void household_model(struct node *n, struct household_model *out);
void household_model_free(struct household_model *m);
/* Compares with the model of n, and checks its store. */
void household_assert_model(struct node *n, const struct household_model *m);

#endif
