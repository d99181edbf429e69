// The reference's VMs: made as machine/guest_vm.ts makes one, with one logged slot.
#include "reference.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

// Where the ring begins in a vCPU's mapping.
#define RING_AT (KVM_DIRTY_LOG_PAGE_OFFSET * 4096)

static char problem[160] = "";

// Why the last call that failed did.
EXPORT const char *reference_problem(void)
{
	return problem;
}

int fail(const char *what)
{
	snprintf(problem, sizeof problem, "%s: %s", what, strerror(errno));
	return -1;
}

int fail_with(const char *what, long found, long expected)
{
	snprintf(problem, sizeof problem, "%s: %ld, expected %ld", what, found, expected);
	return -1;
}

static void *map(uint64_t bytes, int flags, int fd, uint64_t offset)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, (off_t)offset);

	return at == MAP_FAILED ? NULL : at;
}

static int set_slot(const struct machine *machine, uint32_t slot, uint64_t at, uint64_t bytes,
		    void *memory)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = slot == 0 ? 0 : KVM_MEM_LOG_DIRTY_PAGES,
		.guest_phys_addr = at,
		.memory_size = bytes,
		.userspace_addr = (uintptr_t)memory,
	};

	return ioctl(machine->fd, KVM_SET_USER_MEMORY_REGION, &region);
}

// As Vm.placeRealModePages of kvm/vm.ts.
static int place_real_mode_pages(const struct machine *machine)
{
	const uint64_t limit = 0xfffbc000;
	uint64_t end = machine->setup.slot0_bytes + machine->setup.logged_bytes;

	if (end > limit) return ioctl(machine->fd, KVM_SET_IDENTITY_MAP_ADDR, &end);
	return ioctl(machine->fd, KVM_SET_TSS_ADDR, limit + 4096);
}

int machine_open(struct machine *machine, const struct machine_setup *setup, const uint8_t *slot0)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_DIRTY_LOG_RING,
		.args = { setup->ring_bytes },
	};
	const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

	*machine = (struct machine){ .setup = *setup, .kvm = -1, .fd = -1 };
	machine->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (machine->kvm < 0) return fail("open(/dev/kvm)");
	machine->fd = ioctl(machine->kvm, KVM_CREATE_VM, 0);
	if (machine->fd < 0) return fail("KVM_CREATE_VM");
	if (ioctl(machine->fd, KVM_ENABLE_CAP, &cap) < 0) return fail("KVM_ENABLE_CAP");
	machine->low = map(setup->slot0_bytes, anonymous, -1, 0);
	if (!machine->low) return fail("mmap(slot 0)");
	machine->logged = map(setup->logged_bytes, anonymous, -1, 0);
	if (!machine->logged) return fail("mmap(slot 1)");
	if (set_slot(machine, 0, 0, setup->slot0_bytes, machine->low) < 0) return fail("slot 0");
	if (set_slot(machine, 1, setup->slot0_bytes, setup->logged_bytes, machine->logged) < 0)
		return fail("slot 1");
	if (place_real_mode_pages(machine) < 0) return fail("KVM_SET_TSS_ADDR");
	memcpy(machine->low, slot0, setup->slot0_bytes);
	return 0;
}

void machine_close(struct machine *machine)
{
	if (machine->fd >= 0) close(machine->fd);
	if (machine->kvm >= 0) close(machine->kvm);
	if (machine->logged) munmap(machine->logged, machine->setup.logged_bytes);
	if (machine->low) munmap(machine->low, machine->setup.slot0_bytes);
}

// Long mode and nothing else, as kvm/vcpu.ts has it and for its reasons.
static int set_cpuid(const struct vcpu *vcpu)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entry;
	} cpuid = {
		.head.nent = 1,
		.entry = { .function = 0x80000001, .edx = 1u << 29 },
	};

	return ioctl(vcpu->fd, KVM_SET_CPUID2, &cpuid);
}

static int change_sregs(const struct vcpu *vcpu, const struct sregs_patch *patch)
{
	struct kvm_sregs sregs;
	uint8_t *bytes = (uint8_t *)&sregs;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0) return fail("KVM_GET_SREGS");
	for (size_t n = 0; n < sizeof sregs; n++)
		if (patch->mask[n]) bytes[n] = patch->value[n];
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) < 0) return fail("KVM_SET_SREGS");
	return 0;
}

int vcpu_open(struct vcpu *vcpu, const struct machine *machine, int id,
	      const struct sregs_patch *patch)
{
	uint64_t ring_bytes = machine->setup.ring_bytes;
	uint64_t entries = ring_bytes / sizeof(struct kvm_dirty_gfn);
	int bytes = ioctl(machine->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	*vcpu = (struct vcpu){ .fd = -1, .ring_bytes = ring_bytes };
	if (bytes < 0) return fail("KVM_GET_VCPU_MMAP_SIZE");
	vcpu->run_bytes = (uint64_t)bytes;
	vcpu->slots = calloc(entries, sizeof *vcpu->slots);
	vcpu->offsets = calloc(entries, sizeof *vcpu->offsets);
	if (!vcpu->slots || !vcpu->offsets) return fail("calloc");
	vcpu->fd = ioctl(machine->fd, KVM_CREATE_VCPU, id);
	if (vcpu->fd < 0) return fail("KVM_CREATE_VCPU");
	if (set_cpuid(vcpu) < 0) return fail("KVM_SET_CPUID2");
	vcpu->run = map(vcpu->run_bytes, MAP_SHARED, vcpu->fd, 0);
	if (!vcpu->run) return fail("mmap(kvm_run)");
	vcpu->ring = map(ring_bytes, MAP_SHARED, vcpu->fd, RING_AT);
	if (!vcpu->ring) return fail("mmap(ring)");
	return change_sregs(vcpu, patch);
}

void vcpu_close(struct vcpu *vcpu)
{
	if (vcpu->ring) munmap(vcpu->ring, vcpu->ring_bytes);
	if (vcpu->run) munmap(vcpu->run, vcpu->run_bytes);
	if (vcpu->fd >= 0) close(vcpu->fd);
	free(vcpu->slots);
	free(vcpu->offsets);
}
