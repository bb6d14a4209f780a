"""AdamATan2 for the dense parameters, sparse SignSGD for the puzzle embedding.

Nothing is read on the host: step count and learning rate are tensors, shapes are fixed, so an update can be captured.
"""

import torch

HAS_FOREACH_TENSOR = hasattr(torch, '_foreach_copy_')


class AdamATan2:
    """p *= 1 - lr * wd; p -= lr / (1 - beta1^t) * atan2(m, sqrt(v) / sqrt(1 - beta2^t)) (adam-atan2 0.0.3).

    `copies` are the parameters in the forward dtype, one each; they are refreshed with the update. By default there
    are none.
    """

    def __init__(self, parameters, copies=None, betas=(0.9, 0.95), weight_decay=1.0):
        self.parameters = [p.detach() for p in parameters]
        self.copies = None if copies is None else [c.detach() for c in copies]
        self.m = [torch.zeros_like(p) for p in self.parameters]
        self.v = [torch.zeros_like(p) for p in self.parameters]
        self.betas = betas
        self.weight_decay = weight_decay
        device = self.parameters[0].device
        self.t = torch.zeros((), dtype=torch.float64, device=device)
        # A CPU takes one tensor through all its operations while the cache still holds it, a third faster than one
        # operation through all tensors, which on a GPU means the fewest launches. A compiler fuses the former.
        self.update = update_each if device.type == 'cpu' or not HAS_FOREACH_TENSOR else update_foreach

    @torch.no_grad()
    def step(self, grads, lr):
        """One update with lr, a float64 tensor without dimensions; grads in the forward dtype or fp32."""
        self.t += 1
        beta1, beta2 = self.betas
        decay = (1 - lr * self.weight_decay).float()
        grow = (1 - beta2**self.t).rsqrt().float()
        scale = (-lr / (1 - beta1**self.t)).float()
        self.update(self.parameters, grads, self.m, self.v, self.copies, self.betas, decay, grow, scale)


def update_each(parameters, grads, ms, vs, copies, betas, decay, grow, scale):
    """Tensor by tensor: p = p * decay + scale * atan2(m, sqrt(v) * grow)."""
    beta1, beta2 = betas
    for i, (p, grad, m, v) in enumerate(zip(parameters, grads, ms, vs)):
        grad = grad.float()
        m.mul_(beta1).add_(grad, alpha=1 - beta1)
        v.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        update = v.sqrt().mul_(grow)
        p.mul_(decay).add_(torch.atan2(m, update, out=update).mul_(scale))
        if copies is not None:
            copies[i].copy_(p)


def update_foreach(parameters, grads, ms, vs, copies, betas, decay, grow, scale):
    """The same, operation by operation."""
    beta1, beta2 = betas
    if grads[0].dtype != torch.float32:
        wide = [torch.empty_like(m) for m in ms]
        torch._foreach_copy_(wide, grads)
        grads = wide
    torch._foreach_mul_(ms, beta1)
    torch._foreach_add_(ms, grads, alpha=1 - beta1)
    torch._foreach_mul_(vs, beta2)
    torch._foreach_addcmul_(vs, grads, grads, value=1 - beta2)
    updates = torch._foreach_sqrt(vs)
    torch._foreach_mul_(updates, grow)
    for m, update in zip(ms, updates):
        torch.atan2(m, update, out=update)
    torch._foreach_mul_(updates, scale)
    torch._foreach_mul_(parameters, decay)
    torch._foreach_add_(parameters, updates)
    if copies is not None:
        torch._foreach_copy_(copies, parameters)


@torch.no_grad()
def sign_sgd(weights, ids, grad, lr, weight_decay):
    """Rows of weights named by ids [B]: gradients of equal ids are summed, decay is applied once a row.

    Every row of the batch computes its id's whole update, those of equal ids the same bits, because torch.unique would
    ask the device how many there are.
    """
    same = ids[:, None] == ids[None, :]
    # The sum of one and the same row for equal ids, the first: sums in another order may differ in sign near zero.
    first = same.to(torch.int32).argmax(1)
    summed = (same.to(grad.dtype) @ grad)[first]
    weights.index_copy_(0, ids, weights[ids] * (1 - lr * weight_decay).to(grad.dtype) - summed.sign_() * lr.to(grad.dtype))
