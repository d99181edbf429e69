// What reference.c and reference_vm.c share.
#ifndef REFERENCE_H
#define REFERENCE_H

#include <linux/kvm.h>
#include <stdint.h>

// The library is compiled with -fvisibility=hidden: what bench/reference.ts calls is marked.
#define EXPORT __attribute__((visibility("default")))

// What a VM is to be; bench/reference.ts writes these fields in this order.
struct setup {
	uint64_t ring_bytes;
	uint64_t slot0_bytes; // slot 0: code and access list, from address 0, not logged
	uint64_t logged_bytes; // slot 1: behind slot 0, logged
	uint64_t code_at;
	uint64_t list_at;
	uint64_t stores; // in a round
};

// What a round was; bench/reference.ts reads these fields in this order.
struct round {
	uint64_t run_ns;
	uint64_t harvest_ns;
	uint64_t reset_ns;
	uint64_t entries;
	uint64_t full_exits;
	uint64_t resets;
};

// A VM with one vCPU and its ring. What is not there yet is -1 or NULL.
struct vm {
	struct setup setup;
	int kvm, fd, vcpu;
	uint64_t run_bytes;
	uint8_t *low, *logged;
	struct kvm_run *run;
	struct kvm_dirty_gfn *ring;
	uint32_t fetch, value;
	uint32_t *slots;
	uint64_t *offsets;
};

// Notes why a call failed, with errno's text; answers -1.
int fail(const char *what);

// Notes a number that is not what it has to be; answers -1.
int fail_with(const char *what, long found, long expected);

#endif
