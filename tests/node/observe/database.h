/* Databases that tests make up. */
#ifndef TESTS_NODE_OBSERVE_DATABASE_H
#define TESTS_NODE_OBSERVE_DATABASE_H

/* Runs SQL on the database at path, which is made when it is not there. Ends the test when it fails. */
void database_run(const char *path, const char *sql);

#endif
