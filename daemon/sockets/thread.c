/* thread.c: threads of the daemon's own. */
#include "daemon/sockets/thread.h"

#include <signal.h>

int thread_start(pthread_t *thread, void *(*run)(void *context), void *context)
{
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        const int error = pthread_create(thread, NULL, run, context);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return error;
}
