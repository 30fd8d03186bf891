/* scene.h: a place of its own for calls that a fuzzer makes up: no network but an own loopback, and few
 * sockets. */
#pragma once

#include <stdbool.h>

#include "api/call.h"

/* Whether this process has a network of its own (see scene.c): if not, no call may be run. */
extern bool scene_is_apart;

extern struct service scene_service;
extern struct account *scene_account; /* owns all sockets */

/* Before each input; the first one sets all up. */
void scene_open(void);

/* Makes the socket that a letter stands for, at a peer that is not the daemon's, and writes its id. False:
 * no such letter. Sockets last until scene_clean(). */
bool scene_make(char letter, char id[SOCKET_ID_SIZE]);

/* Closes all sockets, those too that calls have made. Checks that none is left, nor a descriptor, nor
 * anything that the account is charged with. */
void scene_clean(void);
