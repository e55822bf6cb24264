"""What is wrong, each cause once: opened, told to its owner, worsened, recovered."""
