"""The platform's vocabulary: errors, deadlines, ids, features, what the stages say to each other. Standard library."""
