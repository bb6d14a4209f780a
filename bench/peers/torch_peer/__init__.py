"""HRM in plain PyTorch: the peer that the benches compare with. Run it through ../hrm_torch.py."""
