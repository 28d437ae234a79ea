#include "base/check.h"

#include "tests/support/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void a_failed_check_aborts_in_every_build(void **state)
{
    int status = 0;
    pid_t pid = fork();
    (void)state;
    if (pid == 0) {
        (void)dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        CHECK(pid != 0);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void a_check_that_holds_does_nothing(void **state)
{
    (void)state;
    CHECK(1 + 1 == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_check_aborts_in_every_build),
        cmocka_unit_test(a_check_that_holds_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
