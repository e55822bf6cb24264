"""What a pull request needs: its models built beside the published ones, and what that changes."""
