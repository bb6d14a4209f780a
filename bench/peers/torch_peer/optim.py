"""AdamATan2 for the dense parameters, sparse SignSGD for the puzzle embedding."""

import math

import torch


class AdamATan2:
    """p *= 1 - lr * wd; p -= lr / (1 - beta1^t) * atan2(m, sqrt(v) / sqrt(1 - beta2^t)) (adam-atan2 0.0.3)."""

    def __init__(self, parameters, betas=(0.9, 0.95), weight_decay=1.0):
        parameters = list(parameters)
        self.betas = betas
        self.weight_decay = weight_decay
        self.t = 0
        # A CPU takes one tensor through all its operations while the cache still holds it, a third faster than one
        # operation through all tensors, which on a GPU means the fewest launches.
        size = len(parameters) if parameters[0].is_cuda else 1
        self.groups = [
            (group, [torch.zeros_like(p) for p in group], [torch.zeros_like(p) for p in group])
            for group in (parameters[i : i + size] for i in range(0, len(parameters), size))
        ]

    @torch.no_grad()
    def step(self, lr):
        """One update; frees the gradients."""
        self.t += 1
        beta1, beta2 = self.betas
        for parameters, m, v in self.groups:
            grads = [p.grad for p in parameters]
            torch._foreach_mul_(m, beta1)
            torch._foreach_add_(m, grads, alpha=1 - beta1)
            torch._foreach_mul_(v, beta2)
            torch._foreach_addcmul_(v, grads, grads, 1 - beta2)
            update = torch._foreach_sqrt(v)
            torch._foreach_mul_(update, 1 / math.sqrt(1 - beta2**self.t))
            for first, second in zip(m, update):
                torch.atan2(first, second, out=second)
            torch._foreach_mul_(parameters, 1 - lr * self.weight_decay)
            torch._foreach_add_(parameters, update, alpha=-lr / (1 - beta1**self.t))
            for p in parameters:
                p.grad = None


@torch.no_grad()
def sign_sgd(weights, ids, grad, lr, weight_decay):
    """Rows of weights named by ids [B]: gradients of equal ids are summed, decay is applied once a row."""
    unique, inverse = torch.unique(ids, return_inverse=True)
    summed = grad.new_zeros(len(unique), grad.shape[1]).index_add_(0, inverse, grad)
    weights[unique] = weights[unique].mul_(1 - lr * weight_decay).sub_(summed.sign_(), alpha=lr)
