// The floor of a batch: the system calls that the agent makes for a key, and nothing else.
//
//   loop ROUNDS N < KEYS      KEYS: a path below /proc/sys a line; writes 1 and 0 in turn to the first N
//
// prints two medians of the microseconds a key over ROUNDS: key by key, and with every key opened and read before the first
// one is written, which is what it takes to write nothing if one of them is bad.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void fail(const char *what, const char *key)
{
	fprintf(stderr, "loop: %s %s: ", what, key);
	perror(NULL);
	exit(1);
}

static void finish(int fd, const char *value, const char *key)
{
	char buf[512];
	if (pwrite(fd, value, 2, 0) != 2)
		fail("write", key);
	if (pread(fd, buf, sizeof buf, 0) != 2 || buf[0] != value[0])
		fail("verify", key);
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: loop ROUNDS N < KEYS\n");
		return 2;
	}
	int rounds = atoi(argv[1]), n = atoi(argv[2]);
	char **keys = calloc(n, sizeof *keys), line[512];
	for (int i = 0; i < n; i++) {
		if (!fgets(line, sizeof line, stdin)) {
			fprintf(stderr, "loop: fewer than %d keys\n", n);
			return 1;
		}
		line[strcspn(line, "\n")] = 0;
		keys[i] = strdup(line);
	}
	int sys = open("/proc/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (sys < 0)
		fail("open", "/proc/sys");
	struct open_how how = {
		.flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	double *took[2] = {calloc(rounds, sizeof(double)), calloc(rounds, sizeof(double))};
	int *fds = calloc(n, sizeof *fds);
	char buf[512];
	for (int r = 0; r < 2 * rounds; r++) {
		const char *value = r / 2 % 2 ? "0\n" : "1\n";
		int open_first = r % 2;
		if (open_first) // so that both turns change every value
			value = value[0] == '1' ? "0\n" : "1\n";
		double start = now();
		for (int i = 0; i < n; i++) {
			fds[i] = syscall(SYS_openat2, sys, keys[i], &how, sizeof how);
			if (fds[i] < 0)
				fail("open", keys[i]);
			if (pread(fds[i], buf, sizeof buf, 0) < 0)
				fail("read", keys[i]);
			if (!open_first)
				finish(fds[i], value, keys[i]);
		}
		for (int i = 0; open_first && i < n; i++)
			finish(fds[i], value, keys[i]);
		took[open_first][r / 2] = (now() - start) / n;
	}
	for (int k = 0; k < 2; k++) {
		qsort(took[k], rounds, sizeof(double), by_value);
		printf("%.3f\n", took[k][rounds / 2]);
	}
	return 0;
}
